DROP TABLE procedure_groups
