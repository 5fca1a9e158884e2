"""Owns the benchmark of the api: `python -m api.bench`. Nothing of it serves users."""
