DROP VIEW processing_times
