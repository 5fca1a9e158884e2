"""Model engines: the protocol, vLLM, an in-process engine, and a scripted fake."""
