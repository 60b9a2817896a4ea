DROP TABLE list_loads
