"""Search by meaning, words and graph, and the embeddings behind it."""
