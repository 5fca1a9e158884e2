"""Proof of the online loop: a simulated month of feedback, preferences, training and experiments."""
