DROP VIEW silent_sources
