"""The page of annotators: two answers side by side, judged with buttons or keys, and how far they are."""

import time
from collections.abc import Mapping
from functools import partial
from typing import Any

import gradio as gr

from api.cli.annotate import KEYS
from api.console import annotation_batches, gold_items
from api.console.comparison import comparison
from api.console.markup import block, paragraph, status
from api.console.service import PRIVATE, Json, Service, failure, segment
from api.console.shortcuts import FOCUS, PRESS, SWITCH

CHOICES: Mapping[str, str] = {
    "a": "A is better",
    "b": "B is better",
    "both_good": "Both are good",
    "both_bad": "Both are bad",
    "skip": "Skip",
}
LONGEST_SECONDS = 3600.0
"""Whoever took longer was away, so that the time says nothing."""


def build(service: Service, key: gr.State) -> None:
    """Adds the page as a tab."""
    with gr.Tab("Annotation", id="annotation", visible=False) as tab:
        task = gr.State(None)
        progress = gr.HTML(elem_id="annotated")
        annotator = gr.Textbox(
            label="Annotate as", value="", max_lines=1, info="empty: the owner of your key", visible=False
        )
        said = gr.HTML(elem_id="judged")
        take = gr.Button("Next item (N)", variant="primary", elem_id=f"{PRESS}n")
        item = gr.HTML(elem_id="item")
        with gr.Column(visible=False) as decision:
            with gr.Row():
                buttons = {
                    choice: gr.Button(f"{CHOICES[choice]} ({pressed.upper()})", elem_id=f"{PRESS}{pressed}")
                    for pressed, choice in KEYS.items()
                }
            comment = gr.Textbox(
                label="Why (C)",
                value="",
                lines=2,
                max_lines=6,
                info="optional; Escape leaves the field",
                elem_id=f"{FOCUS}c",
            )
            rewrite = gr.Textbox(
                label="A better answer than both (R)",
                value="",
                lines=2,
                max_lines=12,
                info="optional; it becomes the preferred answer",
                elem_id=f"{FOCUS}r",
            )
            release = gr.Button("Give the item back (Q)", elem_id=f"{PRESS}q")
        gr.Checkbox(label="Single keys press the buttons", value=True, interactive=True, elem_id=SWITCH)
        with gr.Column(visible=False) as batches:
            annotation_batches.build(service, key)
            gold_items.build(service, key)
    service.require("annotate", tab)
    service.require("admin", annotator, batches)

    def next_task(secret: str, name: str) -> dict[Any, Any]:
        """Leases the next item, and says how many are left."""
        who = (name or "").strip() or None
        with service.client(secret) as client:
            leased = client.get("/v1/annotation/next", annotator=who)
            counts = client.get("/v1/annotation/progress", annotator=who)
        shown = {progress: counted(counts), comment: "", rewrite: ""}
        if leased is None:
            nothing = block(paragraph("Nothing is left for you to judge.", "good"))
            return shown | _away() | {item: nothing}
        return shown | {
            task: {"item_id": leased["item_id"], "annotator": who, "shown_at": time.monotonic()},
            item: comparison(leased),
            decision: gr.update(visible=True),
            take: gr.update(visible=False),
        }

    def count(secret: str, name: str) -> str:
        with service.client(secret) as client:
            who = (name or "").strip() or None
            return counted(client.get("/v1/annotation/progress", annotator=who))

    def judge(choice: str, secret: str, name: str, current: Json, why: str, better: str) -> dict[Any, Any]:
        """Stores the judgement and shows the next item."""
        taken = time.monotonic() - current["shown_at"]
        body = {
            "choice": choice,
            "comment": why or "",
            "rewrite": (better or "").strip() or None,
            "seconds": taken if taken <= LONGEST_SECONDS else None,
            "annotator": current["annotator"],
        }
        with service.client(secret) as client:
            client.post(f"/v1/annotation/items/{segment(current['item_id'])}/judgement", body)
        return next_task(secret, name) | {said: block(status(f"Stored: {CHOICES[choice]}."))}

    def give_back(secret: str, current: Json | None) -> dict[Any, Any]:
        if current is None:
            raise failure("take an item first")
        with service.client(secret) as client:
            path = f"/v1/annotation/items/{segment(current['item_id'])}/release"
            client.post(path, {"annotator": current["annotator"]})
        return _away() | {item: "", said: block(status("The item is given back."))}

    def _away() -> dict[Any, Any]:
        return {task: None, decision: gr.update(visible=False), take: gr.update(visible=True)}

    shown = [task, progress, item, decision, comment, rewrite, take, said]
    tab.select(count, [key, annotator], progress, **PRIVATE)
    take.click(lambda k, n: next_task(k, n) | {said: ""}, [key, annotator], shown, **PRIVATE)
    for choice, button in buttons.items():
        asked = [key, annotator, task, comment, rewrite]
        button.click(partial(judge, choice), asked, shown, **PRIVATE)
    release.click(give_back, [key, task], shown, **PRIVATE)


def counted(counts: Json) -> str:
    """How far the annotator is."""
    done = (
        f"You judged {counts['judged']} and skipped {counts['skipped']}; {counts['left']} are left for you."
    )
    return block(paragraph(done, "quiet"))
