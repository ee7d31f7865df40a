"""Doubles, servers and sample files that several tests use."""
