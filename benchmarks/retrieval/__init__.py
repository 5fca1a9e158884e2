"""Benchmark of retrieval: how often each way of searching finds the right passages, and how fast."""
