"""The formats that records come in: each module reads one, found by its content."""
