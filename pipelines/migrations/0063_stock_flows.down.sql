DROP VIEW stock_flows
