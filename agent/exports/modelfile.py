"""Ollama's Modelfile for a merged model. The chat template is left to Ollama."""

from agent.models.card import ModelCard
from memory.records.adapters import Adapter


def modelfile(adapter: Adapter, card: ModelCard) -> str:
    """The Modelfile: greedy answers, as they were measured, and the model's stop strings.

    Stop strings that a Modelfile cannot quote are left out.
    """
    stops = [f'PARAMETER stop "{text}"\n' for text in card.template.stop if not set(text) & set('"\n\r')]
    return (
        f"# {adapter.name}: ollama create {adapter.name} -f Modelfile\n"
        "# Ollama converts the weights itself, for the architectures that it knows. There is no TEMPLATE\n"
        "# here, because Ollama's are not Jinja: compare its answers before you rely on them (README.md).\n"
        "FROM .\n"
        "PARAMETER temperature 0\n" + "".join(stops)
    )
