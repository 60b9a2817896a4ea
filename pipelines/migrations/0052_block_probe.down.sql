DROP TABLE block_probe
