"""Benchmark of the api: `python -m api.bench`. Nothing of it serves users."""
