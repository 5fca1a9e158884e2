"""Questions and answers made from statements."""
