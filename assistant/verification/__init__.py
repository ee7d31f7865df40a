"""Claims checked against the sentences they cite: only what those state is shown."""
