"""Model engines: the protocol, vLLM, the in-process one, and the scripted fake that ships."""
