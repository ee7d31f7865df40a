"""Files to records, and records to chunks."""
