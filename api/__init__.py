"""Owns the door: REST, terminal, and the supervision of processes."""
