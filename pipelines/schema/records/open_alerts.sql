CREATE VIEW open_alerts AS
SELECT *
FROM
(
    SELECT * FROM dossier_alerts ORDER BY changed_at DESC, state DESC LIMIT 1 BY alert_id
)
WHERE state != 'RESOLVED'
COMMENT 'One row is an alert that is not resolved, as it stands'
