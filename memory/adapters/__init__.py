"""Registries of LoRA adapters: the protocol, MLflow, and the fake that ships."""
