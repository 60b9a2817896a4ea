DROP VIEW rates_by_district
