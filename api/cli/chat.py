"""`nightschool chat`: one question, or a conversation in the terminal, with the gate's figures."""

from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.shell import console, service

if TYPE_CHECKING:
    from api.cli.client import Client


def chat(
    question: Annotated[str | None, typer.Argument(help="Leave it out for a conversation.")] = None,
    model: Annotated[str, typer.Option(help="auto, a domain, an adapter or the base model.")] = "auto",
) -> None:
    """Ask a question; shows the answer, how sure the model was, and where the answer comes from."""
    with service() as client:
        if question is not None:
            _ask(client, [{"role": "user", "content": question}], model)
            return
        console().print("Ask away; an empty line ends it.", style="dim")
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
