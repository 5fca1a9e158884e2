"""The api benchmark: `python -m benchmarks.api`."""
