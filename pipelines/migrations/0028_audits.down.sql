DROP TABLE audits
