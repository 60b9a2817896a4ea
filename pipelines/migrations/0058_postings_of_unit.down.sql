DROP VIEW postings_of_unit
