DROP TABLE topic_epochs
