-- No roll-up holds procedures (that would be nearly a row per dossier): these are the postings of the period themselves.
CREATE VIEW recorded_procedure_flows AS
SELECT unit_code, {{unit_day received_on}} AS unit_day, source, procedure_code, sector_code, service_level,
    sign AS received, if(channel = 'ONLINE', sign, 0) AS online, 0 AS settled, 0 AS early, 0 AS late
FROM dossier_postings
WHERE received_on BETWEEN {from:Date} AND {to:Date} AND {{from_to}}
UNION ALL
SELECT unit_code, {{unit_day settled_on}} AS unit_day, source, procedure_code, sector_code, service_level,
    0, 0, sign, if(compared_on < due_on, sign, 0), if(compared_on > due_on AND due_on != toDate(0), sign, 0)
FROM dossier_postings
WHERE settled_on BETWEEN {from:Date} AND {to:Date} AND {{from_to}} AND settled_on != toDate(0)
COMMENT 'recorded_procedure_flows(from=, to=): postings of dossiers received and settled in the period with recorded unit code, unit_day, source, procedure, sector and service level as the events say'
