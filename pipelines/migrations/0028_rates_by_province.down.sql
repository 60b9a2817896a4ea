DROP VIEW rates_by_province
