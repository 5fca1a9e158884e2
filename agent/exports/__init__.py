"""Adapters as files for other programs: a PEFT folder, merged weights, or a model for Ollama."""
