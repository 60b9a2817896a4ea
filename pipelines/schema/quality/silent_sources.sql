-- A source is known by its days with news at +07:00 among the 90 before: its usual gap is the median of the days from one to
-- the next (1: every day), the longest one tells weekends and Tết from a break.
CREATE VIEW silent_sources AS
SELECT source, last_ingested_at, length(days) AS active_days,
    if(active_days < 2, NULL, arraySort(gaps)[intDiv(active_days, 2)]) AS usual_gap_days,
    if(active_days < 2, NULL, arrayMax(gaps)) AS longest_gap_days,
    dateDiff('day', arrayMax(days), toDate({at:DateTime('UTC')} + toIntervalHour(7))) AS silent_days,
    dateDiff('second', last_ingested_at, {at:DateTime('UTC')}) AS silent_s,
    toBool(ifNull(silent_days > longest_gap_days, false)) AS longer_than_ever
FROM
(
    SELECT source, max(ingested_at) AS last_ingested_at, arraySort(groupUniqArray(toDate(ingested_at + toIntervalHour(7), 'UTC'))) AS days,
        arrayPopFront(arrayDifference(arrayMap(day -> toInt32(day), days))) AS gaps
    FROM dossier_events
    WHERE ingested_at <= {at:DateTime('UTC')} AND ingested_at > {at:DateTime('UTC')} - toIntervalDay(90)
    GROUP BY source
)
SETTINGS aggregate_functions_null_for_empty = 0
COMMENT 'silent_sources(at=): every source with events in the 90 days before a moment (UTC): last_ingested_at, active_days (+07:00), days from one active day to the next (usual_gap_days: median, longest_gap_days), days and seconds of silence since, and whether it is silent for longer than ever in these 90 days. A source that is silent for 90 days has no row'
