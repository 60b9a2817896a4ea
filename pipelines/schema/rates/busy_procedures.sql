CREATE VIEW busy_procedures AS
SELECT unit_code, unit_valid_from, unit_name, procedure_code, procedure_name, in_catalogue, level, level_from, received, received_online, online_rate, sources
FROM rates_by_procedure(from={from:Date}, to={to:Date}, tier={tier:String})
WHERE procedure_code != '' AND received >= {least:UInt32} AND level != 'FULL'
COMMENT 'busy_procedures(from=, to=, tier=, least=): procedures per unit with at least `least` dossiers received in the period that are not full-process yet, or not known to be (level empty)'
