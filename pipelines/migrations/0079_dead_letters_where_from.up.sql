ALTER TABLE dead_letters
    ADD COLUMN topic_epoch UInt32 COMMENT 'Life of the partition that the refused record lay in; see topic_epochs' AFTER topic
