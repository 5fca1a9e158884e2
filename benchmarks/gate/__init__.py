"""The benchmark of the gate: `python -m benchmarks.gate`."""
