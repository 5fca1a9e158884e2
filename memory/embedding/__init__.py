"""Sentence embeddings: the protocol, an offline model, and the fake that ships."""
