"""Hybrid retrieval: search by meaning, words and graph, fused into one ranking."""
