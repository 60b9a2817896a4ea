CREATE TABLE ledger AS dossier_postings
ENGINE = Merge('{{database}}', '^dossier_postings$')
COMMENT 'dossier_postings again, for the materialized view that balances it. Query dossier_postings instead'
