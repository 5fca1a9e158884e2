"""Extracts facts from passages: clauses of their prose, and statements of tables, lists and signatures."""
