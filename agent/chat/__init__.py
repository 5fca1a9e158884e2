"""How a chat turn is answered: intent, gate, sources, abstention."""
