"""The morning report of a night: its figures, as text and as plots, and the history over the nights."""
