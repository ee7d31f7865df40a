"""Benchmarks, run from the root as `python -m benchmarks.NAME`; none of them ships."""
