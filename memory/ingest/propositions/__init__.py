"""What a passage states, each statement with its exact place."""
