"""Endpoints in OpenAI's format: chat completions, responses, text completions, embeddings, models."""
