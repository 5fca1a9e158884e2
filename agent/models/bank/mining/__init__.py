"""How the mined and invented questions are made: facts from packages and tables, and coined names."""
