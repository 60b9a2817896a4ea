DROP VIEW unit_boundaries
