"""The benchmark of learning from real prose: `python -m benchmarks.learning`."""
