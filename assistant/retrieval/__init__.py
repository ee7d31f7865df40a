"""A query to the passages whose records are read."""
