DROP TABLE unit_successors
