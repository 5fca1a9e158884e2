"""Benchmark of the answer gate: `python -m benchmarks.gate`."""
