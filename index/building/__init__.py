"""Records to a finished build: read, deduplicate, embed, write, verify, publish."""
