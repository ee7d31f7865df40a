"""Records to a finished build: read, deduplicate, index, embed, verify, publish."""
