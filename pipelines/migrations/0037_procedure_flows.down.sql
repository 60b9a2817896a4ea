DROP VIEW procedure_flows
