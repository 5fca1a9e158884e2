"""The question bank of model studies: questions with answers, invented names, and general prompts."""
