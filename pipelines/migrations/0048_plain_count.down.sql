DROP VIEW plain_count
