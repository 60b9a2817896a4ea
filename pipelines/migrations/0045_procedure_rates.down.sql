DROP VIEW procedure_rates
