"""Benchmark of the api: `python -m benchmarks.api`."""
