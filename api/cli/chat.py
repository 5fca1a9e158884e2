"""`nightschool chat`: one question, or a conversation, with the gate's figures for each answer."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.shell import BAD_INPUT, AsJson, console, print_json, service, stop

if TYPE_CHECKING:
    from api.cli.client import Client


def chat(
    question: Annotated[
        str | None, typer.Argument(help="Question to ask; without one, a conversation starts.")
    ] = None,
    model: Annotated[
        str, typer.Option(help="Who answers: auto, a domain, an adapter or the base model.")
    ] = "auto",
    as_json: AsJson = False,
) -> None:
    """Ask a question; show the answer, the model's confidence and the sources."""
    from api.cli.display import show_answer

    if as_json and question is None:
        stop("--json answers one question: name it", BAD_INPUT)
    with service() as client:
        if question is not None:
            reply = _ask(client, [{"role": "user", "content": question}], model)
            if as_json:
                print_json([reply])
            else:
                show_answer(console(), reply)
            return
        console().print("Type a question; an empty line ends the conversation.", style="dim")
        messages: list[dict[str, str]] = []
        while line := _line():
            messages.append({"role": "user", "content": line})
            reply = _ask(client, messages, model)
            show_answer(console(), reply)
            messages.append({"role": "assistant", "content": reply["choices"][0]["message"]["content"]})


def _line() -> str:
    try:
        return input("> ").strip()
    except (EOFError, KeyboardInterrupt):
        return ""


def _ask(client: "Client", messages: list[dict[str, str]], model: str) -> dict[str, Any]:
    """The reply; in a terminal, a mark moves until it is there."""
    with console().status("Asking"):
        reply: dict[str, Any] = client.post("/v1/chat/completions", {"model": model, "messages": messages})
    return reply
