DROP VIEW working_times
