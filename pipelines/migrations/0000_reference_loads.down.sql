DROP TABLE reference_loads
