-- A dossier counts once in a group, also where its procedure stands under several of its titles, and once in every group.
CREATE VIEW rates_by_procedure_group AS
SELECT f.at_code AS unit_code, f.at_valid_from AS unit_valid_from, any(u.at_name) AS unit_name,
    g.group_code AS group_code,
    sum(n_received) AS received, sum(n_online) AS received_online, {{rate online_submission}} AS online_rate,
    sum(n_settled) AS settled, sum(n_early) AS settled_early, settled - settled_early - settled_late AS settled_on_time,
    sum(n_late) AS settled_late, {{rate on_time}} AS on_time_rate,
    sumIf(n_received, NOT g.sure) AS received_uncertain,
    arraySort(groupUniqArrayIf(f.source, n_received != 0 OR n_settled != 0)) AS sources
FROM procedure_flows(from={from:Date}, to={to:Date}, tier={tier:String}) AS f
INNER JOIN
(
    SELECT group_code, procedure_code, max(certain) AS sure
    FROM procedure_groups
    WHERE procedure_code != ''
    GROUP BY group_code, procedure_code
) AS g ON f.procedure_code = g.procedure_code
LEFT ANY JOIN units_of_tier(tier={tier:String}) AS u ON f.at_code = u.at_code AND f.at_valid_from = u.at_valid_from
GROUP BY f.at_code, f.at_valid_from, group_code
HAVING received != 0 OR received_online != 0 OR settled != 0 OR settled_early != 0 OR settled_late != 0
SETTINGS aggregate_functions_null_for_empty = 0
COMMENT 'rates_by_procedure_group(from=, to=, tier=): rates per unit and group of procedures over any period; received_uncertain: of the received ones, under titles of which it is not certain that they belong to the group'
