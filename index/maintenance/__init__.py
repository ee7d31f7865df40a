"""Maintenance of a built index: verify, repair, export, watch folders, remove old builds."""
