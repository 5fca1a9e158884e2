"""Benchmark of what stops a prejudiced source: the constitution, and the bias gate behind it."""
