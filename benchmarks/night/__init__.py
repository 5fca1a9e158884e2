"""Proof of the night: the scorer, revisions, LoCoMo, a simulated fortnight, and the scale of a large log."""
