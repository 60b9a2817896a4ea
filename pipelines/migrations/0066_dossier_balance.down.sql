DROP VIEW dossier_balance
