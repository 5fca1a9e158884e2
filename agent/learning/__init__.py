"""Learning from sources: gaps, exploration, critique, teachers, verification and curricula."""
