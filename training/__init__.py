"""Owns the night shift: the trainer, its recipes and gates, and the base model that ships.

Its own process; nothing else of ours imports it.
"""
