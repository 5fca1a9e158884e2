"""Checks for a GPU machine: `python -m benchmarks.gpu`."""
