DROP VIEW rates_of_period
