DROP VIEW rates_as_known
