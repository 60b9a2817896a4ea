DROP VIEW balance
