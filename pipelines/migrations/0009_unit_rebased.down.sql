DROP TABLE unit_rebased
