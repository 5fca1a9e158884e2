"""The steps of chat and learning, as async functions over records, one step a file."""
