DROP VIEW backlog
