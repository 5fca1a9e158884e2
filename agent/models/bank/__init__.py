"""The question bank: questions with answers, questions about invented names, and general prompts."""
