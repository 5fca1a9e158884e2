"""`nightschool chat`: one question, or a conversation, with the gate's figures for each answer."""

from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.shell import console, service

if TYPE_CHECKING:
    from api.cli.client import Client


def chat(
    question: Annotated[
        str | None, typer.Argument(help="Question to ask; without one, a conversation starts.")
    ] = None,
    model: Annotated[
        str, typer.Option(help="Who answers: auto, a domain, an adapter or the base model.")
    ] = "auto",
) -> None:
    """Ask a question; show the answer, the model's confidence and the sources."""
    with service() as client:
        if question is not None:
            _ask(client, [{"role": "user", "content": question}], model)
            return
        console().print("Type a question; an empty line ends the conversation.", style="dim")
        messages: list[dict[str, str]] = []
        while line := _line():
            messages.append({"role": "user", "content": line})
            messages.append({"role": "assistant", "content": _ask(client, messages, model)})


def _line() -> str:
    try:
        return input("> ").strip()
    except (EOFError, KeyboardInterrupt):
        return ""


def _ask(client: "Client", messages: list[dict[str, str]], model: str) -> str:
    from api.cli.display import show_answer

    reply = client.post("/v1/chat/completions", {"model": model, "messages": messages})
    show_answer(console(), reply)
    return str(reply["choices"][0]["message"]["content"])
