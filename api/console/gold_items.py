"""Gold items, for admins: items whose right choice is known, and which show who annotates carelessly."""

from typing import Any

import gradio as gr

from api.console.comparison import comparison
from api.console.markup import block, heading, paragraph
from api.console.service import PRIVATE, Service, segment

RIGHT = {"A is better": "a", "B is better": "b", "Both are good": "both_good", "Both are bad": "both_bad"}
LISTED = 200
LONGEST = 80
"""Characters of a question in the list."""


def build(service: Service, key: gr.State) -> None:
    """Adds the part of the annotation page."""
    gr.HTML(block(heading("Gold items")))
    find = gr.Button("List the open items")
    chosen = gr.Dropdown(
        label="Item whose right choice you know", choices=[], value=None, info="a dozen in a batch are enough"
    )
    item = gr.HTML(elem_id="gold-item")
    right = gr.Radio(list(RIGHT), label="The right choice", value=next(iter(RIGHT)))
    with gr.Row():
        mark = gr.Button("Make it a gold item")
        unmark = gr.Button("Make it an ordinary item")
    said = gr.HTML(elem_id="gold-said")

    def listing(secret: str) -> Any:
        with service.client(secret) as client:
            found = client.get("/v1/annotation/items", status="open", limit=LISTED)["items"]
        choices = [
            (
                f"{each['batch']}: {each['messages'][-1]['content'][:LONGEST]}"
                f"{' (gold)' if each['gold'] else ''}",
                each["id"],
            )
            for each in found
        ]
        return gr.update(choices=choices, value=None)

    def show(secret: str, id: str | None) -> str:
        if id is None:
            return ""
        with service.client(secret) as client:
            found = client.get("/v1/annotation/items", status="open", limit=LISTED)["items"]
        return next((comparison(each) for each in found if each["id"] == id), "")

    def decide(secret: str, id: str | None, name: str | None) -> tuple[str, Any]:
        choice = RIGHT[name] if name else None
        with service.client(secret) as client:
            client.post(f"/v1/annotation/items/{segment(id or '')}/gold", {"choice": choice})
        words = "Every annotator gets this item." if choice else "It is an ordinary item."
        return block(paragraph(words, "good")), listing(secret)

    find.click(listing, [key], chosen, **PRIVATE)
    chosen.input(show, [key, chosen], item, **PRIVATE)
    mark.click(decide, [key, chosen, right], [said, chosen], **PRIVATE)
    unmark.click(lambda k, id: decide(k, id, None), [key, chosen], [said, chosen], **PRIVATE)
