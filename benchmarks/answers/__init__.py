"""Benchmark of answers from sources: `python -m benchmarks.answers`."""
