DROP VIEW rates
