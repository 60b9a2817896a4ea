CREATE VIEW procedure_rates AS
WITH
    (
        SELECT (countIf(service_level != ''), countIf(service_level = 'FULL'))
        FROM procedures
        WHERE {to:Date} BETWEEN valid_from AND valid_to AND ({tier:String} = 'country' OR has(splitByChar('|', toString(tier)), upper({tier:String})))
    ) AS listed
SELECT unit_code, unit_valid_from, any(r.unit_name) AS unit_name,
    count() AS procedures, countIf(received_online > 0) AS procedures_online, procedures_online / procedures AS online_share,
    countIf(NOT in_catalogue) AS procedures_unknown,
    countIf(level != '') AS procedures_level_known, countIf(level = 'FULL') AS procedures_full,
    if(procedures_level_known = 0, NULL, procedures_full / procedures_level_known) AS full_share,
    listed.1 AS catalogue_level_known, listed.2 AS catalogue_full, if(catalogue_level_known = 0, NULL, catalogue_full / catalogue_level_known) AS catalogue_full_share,
    arraySort(arrayDistinct(arrayFlatten(groupArray(r.sources)))) AS sources
FROM rates_by_procedure(from={from:Date}, to={to:Date}, tier={tier:String}) AS r
WHERE procedure_code != '' AND received > 0
GROUP BY unit_code, unit_valid_from
SETTINGS aggregate_functions_null_for_empty = 0
COMMENT 'procedure_rates(from=, to=, tier=): rates over procedures per unit: those with dossiers received in the period, of them with dossiers filed online; of those with a known level (catalogue, else events) the full-process ones; catalogue_*: the same over all procedures of the catalogue that the tier carries out on the last day'
