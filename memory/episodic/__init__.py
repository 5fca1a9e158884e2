"""Episodic memory, what was read: one protocol, LanceDB, and a volatile fake that ships."""
