"""Registries of LoRA adapters: the protocol, the MLflow registry, an in-memory fake, and calibrations."""
