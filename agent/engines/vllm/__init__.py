"""The engine on vLLM's OpenAI-compatible server."""
