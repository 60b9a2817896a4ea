DROP VIEW block_probe_view
