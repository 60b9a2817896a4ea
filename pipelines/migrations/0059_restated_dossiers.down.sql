DROP VIEW restated_dossiers
