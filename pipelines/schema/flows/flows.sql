-- Additive flows, read from the two roll-up projections of the ledger. Nothing but sums of signs.
CREATE VIEW flows AS
SELECT unit_code, received_on AS day, source, channel, service_level,
    sum(sign) AS received, toInt64(0) AS settled, toInt64(0) AS settled_early, toInt64(0) AS settled_late
FROM dossier_postings
GROUP BY unit_code, received_on, source, channel, service_level
UNION ALL
SELECT unit_code, settled_on AS day, source, channel, service_level,
    toInt64(0) AS received, sum(sign) AS settled,
    sumIf(sign, compared_on < due_on) AS settled_early,
    sumIf(sign, compared_on > due_on AND due_on != toDate(0)) AS settled_late
FROM dossier_postings
WHERE settled_on != toDate(0)
GROUP BY unit_code, settled_on, source, channel, service_level
COMMENT 'Dossiers received and settled per recorded unit code, day (+07:00), source, channel and service level'
