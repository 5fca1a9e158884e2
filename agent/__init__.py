"""Owns the verbs: async functions over records, one step a file."""
