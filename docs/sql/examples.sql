-- rates_by_commune: Which communes received most dossiers last month, and how many of them online?
SELECT month, unit_name, received, received_online, round(online_rate * 100, 2) AS online_percent
FROM rates_by_commune ORDER BY month DESC, received DESC LIMIT 10;

-- rates_by_district: How did the districts of a province settle in the last month before they were abolished?
SELECT unit_name, settled, settled_late, round(on_time_rate * 100, 2) AS on_time_percent
FROM rates_by_district WHERE month = '2023-06-01' ORDER BY on_time_rate LIMIT 10;

-- rates_by_province: How did on-time settlement go month by month, and on how many dossiers does each figure rest?
SELECT month, settled, settled_late, round(on_time_rate * 100, 2) AS on_time_percent
FROM rates_by_province WHERE unit_code = '11' AND unit_valid_from = '2025-07-01' ORDER BY month;

-- rates: Which communes of a province filed the smallest share online over any period, with enough dossiers to say so?
SELECT unit_name, received_online, received, round(online_rate * 100, 2) AS online_percent
FROM rates(from = '2023-01-01', to = '2023-06-30', tier = 'commune')
WHERE received >= 30 ORDER BY online_rate LIMIT 5;

-- rates: What are both rates of every province over a year?
SELECT unit_name, received, round(online_rate, 4) AS online_rate,
  settled, round(on_time_rate, 4) AS on_time_rate
FROM rates(from = '2026-01-01', to = '2026-12-31', tier = 'province')
ORDER BY unit_name;

-- rates_by_sector: Which sectors hold a province back?
SELECT sector_name, received_online, received, round(online_rate * 100, 2) AS online_percent
FROM rates_by_sector(from = '2023-01-01', to = '2023-06-30', tier = 'province')
WHERE unit_code = '58' AND received >= 30 ORDER BY online_rate LIMIT 5;

-- rates_of_period: Where did online filing rise most on the same period of the year before?
SELECT unit_name, received, round(online_rate * 100, 2) AS online_percent, round(online_rate_change * 100, 2) AS points
FROM rates_of_period(period = '2026-9M', until = '2100-01-01', tier = 'province')
WHERE received >= 30 ORDER BY online_rate_change DESC NULLS LAST LIMIT 5;

-- period_days: Which days does a named period cover, to date?
SELECT * FROM period_days(period = '2026-Q4', until = '2026-10-10');

-- rates_by_receiving_unit: How many dossiers are filed at a counter of another unit than the one that answers for them?
SELECT unit_name, received, processed_elsewhere
FROM rates_by_receiving_unit(from = '2026-01-01', to = '2026-12-31', tier = 'commune')
ORDER BY processed_elsewhere DESC, received DESC LIMIT 5;

-- indicator_values: What do the sources' different definitions of "on time" say about the same unit and period?
SELECT indicator_code, name_en, numerator, denominator, round(value * 100, 2) AS percent
FROM indicator_values(from = '2026-01-01', to = '2026-10-10', tier = 'province') AS v
JOIN (SELECT indicator_code, version, name_en FROM indicators) AS i ON i.indicator_code = v.indicator_code AND i.version = v.indicator_version
WHERE unit_code = '11' AND indicator_code LIKE 'on_time%' ORDER BY indicator_code;

-- indicators: Which indicators are there, and where do their definitions come from?
SELECT indicator_code, version, name_en, numerator, denominator, source FROM indicators ORDER BY indicator_code, version;

-- backlog: Where do most dossiers lie overdue today, and which will be overdue within three days?
SELECT unit_name, pending, pending_overdue, due_soon, waiting
FROM backlog(as_of = '2026-10-10', tier = 'province', soon = 3) ORDER BY pending_overdue DESC LIMIT 5;

-- dossier_balance: What came in, what went out, what is left: the account of a unit over a period.
SELECT unit_name, carried_over, received, settled_early, settled_on_time, settled_late, withdrawn, stopped, pending_in_time, pending_overdue
FROM dossier_balance(from = '2026-01-01', to = '2026-10-10', tier = 'province') WHERE unit_code = '11';

-- stock_flows: How did the stock of one commune move from day to day?
SELECT day, change, sum(change) OVER (ORDER BY day) AS pending
FROM (SELECT day, sum(pending) AS change FROM stock_flows WHERE unit_code = '03127' GROUP BY day) ORDER BY day DESC LIMIT 10;

-- not_accepted: Where are dossiers turned away most often?
SELECT unit_code, sum(not_accepted) AS dossiers FROM not_accepted GROUP BY unit_code ORDER BY dossiers DESC LIMIT 5;

-- flows: The additive ground of all rates: dossiers per recorded unit code, day, source, channel and service level.
SELECT channel, sum(received) AS received FROM flows WHERE day BETWEEN '2023-01-01' AND '2023-06-30' GROUP BY channel ORDER BY channel;

-- flows_of_tier: The same at the units of a tier, valid on each day.
SELECT day, sum(received) AS received FROM flows_of_tier(tier = 'country') WHERE day >= '2026-10-01' GROUP BY day ORDER BY day LIMIT 10;

-- rates_by_month: rates_by_commune, _district and _province, for a tier given by name.
SELECT month, unit_name, received, sources FROM rates_by_month(tier = 'province') ORDER BY month DESC, received DESC LIMIT 5;

-- tier_on_day: Where does a code count from which day on?
SELECT unit_code, from_day, at_code, at_valid_from, at_name FROM tier_on_day(tier = 'province') WHERE unit_code = '24' ORDER BY from_day;

-- tier_on_unit_day: The same on each day on which units change, for an ordinary join.
SELECT unit_code, unit_day, at_code, at_name FROM tier_on_unit_day(tier = 'province') WHERE unit_code = '24';

-- units_of_tier: In which units can anything count?
SELECT * FROM units_of_tier(tier = 'province') ORDER BY at_code LIMIT 5;

-- rates_as_known: What did we report for the first half of 2023, as it was known at the end of last month?
SELECT unit_name, received, round(online_rate * 100, 2) AS online_percent
FROM rates_as_known(at = '2026-10-31 17:00:00', from = '2023-01-01', to = '2023-06-30', tier = 'province');

-- restatement: Why do that figure and today's differ?
SELECT cause, received, received_online, settled, settled_late, dossiers
FROM restatement(at = '2026-10-31 17:00:00', from = '2023-01-01', to = '2023-06-30', unit = '58');

-- restated_dossiers: Which dossiers are behind it?
SELECT dossier_id, cause, received, settled FROM restated_dossiers(at = '2026-10-31 17:00:00', from = '2023-01-01', to = '2023-06-30', unit = '58') LIMIT 10;

-- postings_of_unit: The postings that add up to it.
SELECT flow, sum(sign) AS dossiers FROM postings_of_unit(from = '2023-01-01', to = '2023-06-30', unit = '58') WHERE here GROUP BY flow ORDER BY flow;

-- dossiers: Which dossiers are late, and by how many days?
SELECT dossier_id, unit_code, due_at, settled_at, dateDiff('day', due_at, settled_at) AS days_late
FROM dossiers WHERE counted AND settled_at > due_at ORDER BY days_late DESC, dossier_id LIMIT 10;

-- quarantined_dossiers: Whose events contradict each other?
SELECT dossier_id, reasons FROM quarantined_dossiers LIMIT 10;

-- open_alerts: What is alerting now?
SELECT rule, unit_code, sector_code, numerator, denominator, text_en FROM open_alerts ORDER BY changed_at DESC LIMIT 10;

-- plain_count: What would an ordinary counting view have said?
SELECT r.month, r.received AS exact, p.received AS counted, counted - exact AS wrong_by
FROM rates_by_commune AS r
JOIN (SELECT month, unit_code, sum(received) AS received FROM plain_count GROUP BY month, unit_code) AS p ON p.month = r.month AND p.unit_code = r.unit_code
ORDER BY abs(wrong_by) DESC LIMIT 5;

-- unit_boundaries: On which days did any unit begin or end?
SELECT arrayJoin(days) AS day FROM unit_boundaries ORDER BY day;

-- rates_rebased: How did the first half of 2023 go, on the units of today?
SELECT unit_name, received, round(online_rate * 100, 2) AS online_percent, comparable
FROM rates_rebased(from = '2023-01-01', to = '2023-06-30', tier = 'province', units = '2026-01-01', split = 'none')
ORDER BY received DESC LIMIT 10;

-- rates_of_period_rebased: How has this year gone so far against last year, across the reform?
SELECT unit_name, received, year_before_received, round(received_growth * 100, 1) AS growth_percent, comparable
FROM rates_of_period_rebased(period = '2026', until = '2026-09-30', tier = 'province', units = '2026-01-01', split = 'none') ORDER BY received DESC LIMIT 5;

-- rates_by_sector_rebased: And by sector? units = 'as_recorded' gives what rates_by_sector gives.
SELECT unit_name, sector_name, received, round(online_rate * 100, 2) AS online_percent
FROM rates_by_sector_rebased(from = '2023-01-01', to = '2023-06-30', tier = 'province', units = '2026-01-01', split = 'none')
WHERE sector_code = 'LAND' ORDER BY received DESC LIMIT 5;

-- rates_by_procedure_rebased: And by procedure?
SELECT procedure_code, procedure_name, received, received_online
FROM rates_by_procedure_rebased(from = '2023-01-01', to = '2023-06-30', tier = 'province', units = '2026-01-01', split = 'none')
WHERE unit_code = '56' ORDER BY received DESC LIMIT 5;

-- rates_by_procedure_group_rebased: And by group?
SELECT unit_name, group_code, received, received_online
FROM rates_by_procedure_group_rebased(from = '2023-01-01', to = '2023-06-30', tier = 'province', units = '2026-01-01', split = 'none');

-- indicator_values_rebased: Every indicator on the units of today.
SELECT indicator_code, numerator, denominator, round(value * 100, 2) AS percent, comparable
FROM indicator_values_rebased(from = '2023-01-01', to = '2023-06-30', tier = 'province', units = '2026-01-01', split = 'none') WHERE unit_code = '56';

-- flows_rebased: The same day by day, for sums of your own.
SELECT day, sum(received) AS received
FROM flows_rebased(tier = 'province', units = '2026-01-01', split = 'none')
WHERE at_code = '56' AND day BETWEEN '2023-01-01' AND '2023-01-31' GROUP BY day ORDER BY day;

-- unit_placements: In which units of a day do the dossiers of an old commune count?
SELECT unit_code, from_day, comparable, arrayJoin(places) AS place
FROM unit_placements(tier = 'commune', units = '2026-01-01', split = 'area') WHERE unit_code = '26740' ORDER BY from_day;

-- processing_times: How many working days do dossiers take?
SELECT unit_name, settled, round(mean_days, 1) AS mean, median_days, p90_days, uncovered
FROM processing_times(from = '2026-01-01', to = '2026-09-30', tier = 'province') ORDER BY median_days DESC LIMIT 5;

-- processing_times_by_procedure: The same beside the statutory time.
SELECT * FROM processing_times_by_procedure(from = '2026-01-01', to = '2026-09-30', tier = 'country') ORDER BY settled DESC LIMIT 5;

-- working_times: The working days of each settled dossier, netted, as the two above add them up.
SELECT * FROM working_times(from = '2026-01-01', to = '2026-01-31') LIMIT 5;

-- placed_on_unit_day: The same as rows, for an ordinary join.
SELECT unit_day, at_code, at_name, share, comparable
FROM placed_on_unit_day(tier = 'commune', units = '2026-01-01', split = 'area') WHERE unit_code = '26740' ORDER BY unit_day;

-- rates_by_procedure: Which procedures of a province are filed on paper most often?
SELECT procedure_code, procedure_name, received, received_online
FROM rates_by_procedure(from = '2026-01-01', to = '2026-09-30', tier = 'province') WHERE unit_code = '11' ORDER BY received - received_online DESC LIMIT 5;

-- rates_by_procedure_group: How do the essential services of Project 06 fare?
SELECT group_code, received, received_online, round(online_rate * 100, 2) AS online_percent
FROM rates_by_procedure_group(from = '2026-01-01', to = '2026-09-30', tier = 'country');

-- procedure_rates: Of how many procedures does a unit receive dossiers online at all?
SELECT * FROM procedure_rates(from = '2026-01-01', to = '2026-09-30', tier = 'province') LIMIT 5;

-- busy_procedures: What is filed most and is not yet full-process?
SELECT * FROM busy_procedures(from = '2026-01-01', to = '2026-09-30', tier = 'country', least = 30) LIMIT 10;

-- procedure_flows: Dossiers per procedure, as the views above add them up.
SELECT * FROM procedure_flows(from = '2026-01-01', to = '2026-01-31', tier = 'province') LIMIT 5;

-- procedure_flows_rebased: The same on the units of a day.
SELECT * FROM procedure_flows_rebased(from = '2023-01-01', to = '2023-01-31', tier = 'province', units = '2026-01-01', split = 'none') LIMIT 5;

-- procedures_on_day: What does the catalogue say of a procedure on a day?
SELECT * FROM procedures_on_day(day = '2026-01-01') WHERE code = '1.000656';

-- recorded_flows: What came in and was settled under the codes as they are recorded, before anything is placed?
SELECT * FROM recorded_flows(from = '2026-01-01', to = '2026-01-31') LIMIT 5;

-- flows_of_period: The same of a named period and of the year before.
SELECT now, sum(received) AS received FROM flows_of_period(period = '2026-H1', until = '2100-01-01') GROUP BY now;

-- recorded_procedure_flows: The same with procedures, sectors and service levels.
SELECT * FROM recorded_procedure_flows(from = '2026-01-01', to = '2026-01-31') LIMIT 5;

-- data_quality: Which sources report late, twice, or with gaps?
SELECT source, sum(events) AS events, sum(repeats) AS repeats, max(delay_p95_s) AS delay_p95_s
FROM data_quality(from = '2026-10-01', to = '2026-10-10') GROUP BY source ORDER BY events DESC;

-- dead_letters_by_reason: What is refused, and why?
SELECT * FROM dead_letters_by_reason(from = '2026-10-01', to = '2026-10-10');

-- silent_sources: Who has stopped reporting?
SELECT * FROM silent_sources(at = '2026-10-10 09:00:00') LIMIT 10;

-- ingest_watermark: Up to which moment do all figures hold everything, and how far behind is that?
SELECT complete_to, dateDiff('second', complete_to, now64(3, 'UTC')) AS behind_s, log_append_time, partitions FROM ingest_watermark WHERE topic = 'dossier-events';

-- ingest_progress: How far has ingest come in each partition?
SELECT partition, topic_epoch, max(next_offset) AS next_offset, max(complete_to) AS complete_to
FROM ingest_progress WHERE topic = 'dossier-events' GROUP BY partition, topic_epoch ORDER BY topic_epoch DESC LIMIT 1 BY partition;
