DROP VIEW data_quality
