ALTER TABLE dead_letters DROP COLUMN topic_epoch
