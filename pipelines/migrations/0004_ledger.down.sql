DROP TABLE ledger
