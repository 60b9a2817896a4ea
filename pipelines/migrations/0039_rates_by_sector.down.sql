DROP VIEW rates_by_sector
