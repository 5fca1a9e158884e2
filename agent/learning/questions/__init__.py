"""Rule-based question generation: chooses an answer in a clause, then words questions for it."""
