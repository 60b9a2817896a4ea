DROP TABLE dossier_postings
