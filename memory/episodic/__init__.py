"""Episodic memory: the passages that were read. A protocol, the LanceDB store and an in-memory fake."""
