"""Owns the benchmarks of learning: what is measured in the open, and the tables that it is told in.

It trains and measures through the worker's own jobs; nothing of the service imports it.
"""
