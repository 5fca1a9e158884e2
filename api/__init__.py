"""REST, the terminal, and the supervision of processes."""
