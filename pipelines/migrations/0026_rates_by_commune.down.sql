DROP VIEW rates_by_commune
