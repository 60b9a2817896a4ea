DROP TABLE rebuilds
