DROP VIEW busy_procedures
