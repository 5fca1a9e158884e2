"""Owns `nightschool chat`: one question, or a conversation in the terminal, with the gate's figures.

Each question stands alone: the model that ships answers single questions.
"""

from typing import TYPE_CHECKING, Annotated

import typer

from api.commands.shell import console, service

if TYPE_CHECKING:
    from api.client import Client


def chat(
    question: Annotated[str | None, typer.Argument(help="Leave it out for a conversation.")] = None,
    model: Annotated[str, typer.Option(help="auto, a domain, an adapter or the base model.")] = "auto",
) -> None:
    """Ask a question; shows the answer, how sure the model was, and where the answer comes from."""
    with service() as client:
        if question is not None:
            _ask(client, question, model)
            return
        screen = console()
        screen.print("Ask away; an empty line ends it.", style="dim")
        while line := _line():
            _ask(client, line, model)


def _line() -> str:
    try:
        return input("> ").strip()
    except (EOFError, KeyboardInterrupt):
        return ""


def _ask(client: "Client", question: str, model: str) -> None:
    from api.display import show_answer

    body = {"model": model, "messages": [{"role": "user", "content": question}]}
    show_answer(console(), client.post("/v1/chat/completions", body))
