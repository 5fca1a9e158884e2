"""Forgetting on the page of memory: a user, a document or one record, for good and in every store."""

from typing import Any

import gradio as gr

from api.console.markup import block, items, paragraph, status
from api.console.service import PRIVATE, Json, Service, failure

KINDS = {"a user": "user", "a document": "source", "a turn, thread, gap or statement": "id"}
Target = tuple[str, str]
"""The query's name and value, such as ("user", "ann")."""


def build(service: Service, key: gr.State) -> None:
    """Adds the part to the page."""
    with gr.Accordion("Forget for good", open=False):
        kind = gr.Radio(list(KINDS), value=next(iter(KINDS)), label="What to forget")
        name = gr.Textbox(
            label="Its name or id",
            value="",
            max_lines=1,
            info="a user as the application named it, or the owner of a key; a document as it is listed",
        )
        forget = gr.Button("Forget it")
        target: gr.State = gr.State(None)
        with gr.Column(visible=False) as confirmation:
            asked = gr.HTML(elem_id="asked-forgetting")
            with gr.Row():
                confirm = gr.Button("Yes, forget it for good", variant="stop")
                keep = gr.Button("No, keep it")
        said = gr.HTML(elem_id="forgotten")

    def ask(what: str, called: str) -> tuple[Target, str, Any, str]:
        """The target is what the question names, and what its confirmation forgets."""
        if not (called or "").strip():
            raise failure("name what to forget first")
        called = called.strip()
        words = (
            f"Forget {what}, {called}, for good? It is removed from every store and their files, which takes"
            " seconds to minutes, and cannot be undone."
        )
        return (KINDS[what], called), block(status(words, "doubt")), gr.update(visible=True), ""

    def erase(secret: str, wanted: Target) -> tuple[str, Any, str]:
        what, called = wanted
        with service.client(secret) as client:
            erased = client.delete("/v1/memory", **{what: called})
        return forgotten(called, erased), gr.update(visible=False), ""

    forget.click(ask, [kind, name], [target, asked, confirmation, said], **PRIVATE)
    gr.on(
        [keep.click, kind.input, name.change],
        lambda: gr.update(visible=False),
        None,
        confirmation,
        **PRIVATE,
    )
    confirm.click(erase, [key, target], [said, confirmation, name], **PRIVATE)


def forgotten(name: str, erased: Json) -> str:
    """What was forgotten, and which adapters were taught from it."""
    counts = ", ".join(f"{what}: {count}" for what, count in erased["counts"].items())
    if counts:
        words = status(f"Forgotten of {name}: {counts}.")
    else:
        words = status(f"Nothing of {name} was left to forget; the files were purged.", "doubt")
    if not erased["taught"]:
        return block(words)
    advice = "Adapters keep what they were taught until the lesson is forgotten, also under Adapters:"
    lessons = [f"{each['adapter']} was taught from it: {each['command']}" for each in erased["taught"]]
    return block(words, paragraph(advice, "doubt"), items(lessons))
