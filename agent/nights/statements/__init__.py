"""What users stated about themselves and their work: found in their messages, kept apart, consolidated."""
