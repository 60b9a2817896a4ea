DROP VIEW unit_placements
