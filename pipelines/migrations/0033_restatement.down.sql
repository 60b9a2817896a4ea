DROP VIEW restatement
