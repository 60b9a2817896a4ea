DROP TABLE sectors
