"""Benchmark of facts: extraction against labelled sentences, and contradictions that were planted."""
