"""Records and the stores that hold them; the lowest layer, which imports no other package of ours."""
