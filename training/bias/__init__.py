"""The bias gate: paired prompts that differ in a group, scored before and after an adapter."""
