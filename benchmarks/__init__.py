"""Benchmarks, one per package or module; `memory.results` writes their pages into docs/results."""
