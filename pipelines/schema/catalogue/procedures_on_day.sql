CREATE VIEW procedures_on_day AS
SELECT procedure_code AS code, argMax(name_vi, valid_from) AS newest_name, argMax(sector_code, valid_from) AS newest_sector,
    anyIf(service_level, {day:Date} BETWEEN valid_from AND valid_to) AS level
FROM procedures
GROUP BY procedure_code
COMMENT 'procedures_on_day(day=): every procedure of the catalogue with the name and the sector of its newest version, and its service level on that day (empty: none is known)'
