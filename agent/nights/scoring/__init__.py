"""Scores logged answers from 1 to 10: criteria, evidence, the calibrated scorer, and its watch for drift."""
