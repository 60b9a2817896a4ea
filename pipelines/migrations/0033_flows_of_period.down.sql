DROP VIEW flows_of_period
