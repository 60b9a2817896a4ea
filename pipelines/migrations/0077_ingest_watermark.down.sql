DROP VIEW ingest_watermark
