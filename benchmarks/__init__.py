"""Benchmarks: one module each; `memory.results` writes their pages into docs/results."""
