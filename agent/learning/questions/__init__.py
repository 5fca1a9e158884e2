"""Questions that the clauses of a text answer, the answer first."""
