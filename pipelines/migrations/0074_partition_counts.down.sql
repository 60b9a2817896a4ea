DROP TABLE partition_counts
