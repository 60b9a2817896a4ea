-- What comes into the stock of pending dossiers and goes out of it, day by day: read from roll-ups, so that a stock of any
-- day, also a past one, is a sum of a few rows per unit and day. A stock at the end of day D is the sum over all days until D.
CREATE VIEW stock_flows
(
    unit_code LowCardinality(String) COMMENT 'Code that the dossiers carry',
    day Date COMMENT 'Day at +07:00',
    source LowCardinality(String) COMMENT 'System that reported; sample: synthetic data',
    pending Int64 COMMENT 'Dossiers received on the day, less those ended on it',
    pending_overdue Int64 COMMENT 'Pending dossiers that are overdue from the day on, less overdue ones that ended on it'
)
AS
SELECT unit_code, received_on AS day, source, sum(sign) AS pending, toInt64(0) AS pending_overdue
FROM dossier_postings
GROUP BY unit_code, received_on, source
UNION ALL
SELECT unit_code, ended_on AS day, source, -sum(sign) AS pending, -sumIf(sign, overdue_on != toDate(0) AND overdue_on < ended_on) AS pending_overdue
FROM dossier_postings
WHERE ended_on != toDate(0)
GROUP BY unit_code, ended_on, source
UNION ALL
SELECT unit_code, overdue_on AS day, source, toInt64(0) AS pending, sumIf(sign, ended_on = toDate(0) OR overdue_on < ended_on) AS pending_overdue
FROM dossier_postings
WHERE overdue_on != toDate(0)
GROUP BY unit_code, overdue_on, source
COMMENT 'Changes of the stock of pending dossiers, and of those overdue, per recorded unit code, day (+07:00) and source'
