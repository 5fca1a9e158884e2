"""Training backends: the protocol, PEFT and Unsloth."""
