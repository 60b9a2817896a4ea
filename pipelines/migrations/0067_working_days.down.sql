DROP TABLE working_days
