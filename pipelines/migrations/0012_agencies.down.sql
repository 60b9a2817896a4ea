DROP TABLE agencies
