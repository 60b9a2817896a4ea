-- What the views of rates place and add up, from the two roll-ups of the ledger.
CREATE VIEW recorded_flows AS
SELECT unit_code, {{unit_day received_on}} AS unit_day, source, channel,
    sum(sign) AS received, toInt64(0) AS settled, toInt64(0) AS early, toInt64(0) AS late
FROM dossier_postings
WHERE received_on BETWEEN {from:Date} AND {to:Date} AND {{from_to}}
GROUP BY unit_code, unit_day, source, channel
UNION ALL
SELECT unit_code, {{unit_day settled_on}} AS unit_day, source, '' AS channel,
    toInt64(0), sum(sign), sumIf(sign, compared_on < due_on), sumIf(sign, compared_on > due_on AND due_on != toDate(0))
FROM dossier_postings
WHERE settled_on BETWEEN {from:Date} AND {to:Date} AND {{from_to}} AND settled_on != toDate(0)
GROUP BY unit_code, unit_day, source
COMMENT 'recorded_flows(from=, to=): dossiers received and settled in the period per recorded unit code, unit_day, source and channel'
