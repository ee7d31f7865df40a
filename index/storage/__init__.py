"""A build on disk: its files, and what reads and writes each of them."""
