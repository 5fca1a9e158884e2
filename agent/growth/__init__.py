"""Growing: moving what a base model has learned onto another one, and whether that is worth it."""
