DROP TABLE procedures
