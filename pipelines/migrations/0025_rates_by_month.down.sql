DROP VIEW rates_by_month
