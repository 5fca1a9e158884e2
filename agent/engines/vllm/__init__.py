"""The engine on vLLM's OpenAI server."""
