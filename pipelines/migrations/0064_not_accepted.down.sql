DROP VIEW not_accepted
