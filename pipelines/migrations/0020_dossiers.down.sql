DROP VIEW dossiers
