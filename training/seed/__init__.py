"""Owns the base model that ships: its data, its training from scratch, and its measurement.

How adapters are trained on top of it is the trainer's business.
"""
