"""Benchmark of learning from real text: `python -m benchmarks.learning`."""
