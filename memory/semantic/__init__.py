"""Semantic memory, what is known: one protocol, FalkorDB, and a volatile fake that ships."""
