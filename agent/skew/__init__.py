"""Skew: whether what a domain learned is what it is asked, and comes from more than one source and person."""
