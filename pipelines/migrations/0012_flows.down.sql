DROP VIEW flows
