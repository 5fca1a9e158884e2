"""Training backends: the protocol, PEFT (any machine) and Unsloth (NVIDIA GPU)."""
