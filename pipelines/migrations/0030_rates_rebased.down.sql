DROP VIEW rates_rebased
