"""Golden pairs: verified questions and answers of the day that are good enough to learn from."""
