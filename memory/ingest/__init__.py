"""From passages to what can be taught."""
