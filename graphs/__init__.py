"""The order of steps: state machines without prompts or queries."""
