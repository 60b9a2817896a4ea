ALTER TABLE dossier_events DROP COLUMN topic_epoch, DROP COLUMN log_append_time, DROP COLUMN count_epoch
