"""Benchmark of explorations that a model drives by tool calls, beside the one that rules drive."""
