DROP VIEW recorded_flows
