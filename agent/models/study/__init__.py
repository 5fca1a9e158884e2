"""The study of a base model: asks it the question bank, calibrates its gate and writes its card."""
