"""Semantic memory: the graph of facts. A protocol, the FalkorDB store and an in-memory fake."""
