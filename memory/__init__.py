"""Records and the stores that keep them. Imports nothing else of ours."""
