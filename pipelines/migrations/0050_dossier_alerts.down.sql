DROP TABLE dossier_alerts
