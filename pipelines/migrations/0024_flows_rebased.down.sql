DROP VIEW flows_rebased
