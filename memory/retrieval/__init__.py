"""Search by vectors, full text and graph, fused into one ranking; and the text embeddings for it."""
