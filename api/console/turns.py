"""Logged turns on the page of chat: the newest, and those of a period as a file."""

from collections.abc import Sequence

import gradio as gr

from api.console.markup import block, moment, paragraph, table
from api.console.service import PRIVATE, Json, Service
from api.console.transfer import saved_as

FILE = "interactions.jsonl"
NEWEST = 50
SAVE = f"""async (problem, since, until) => [
    await nightschool.save(
        "/v1/interactions/export", {{since: since.trim(), until: until.trim()}}, "{FILE}"), since, until
]"""


def build(service: Service, key: gr.State) -> None:
    """Adds the part to the page."""
    with gr.Accordion("Logged turns", open=False):
        show = gr.Button("Show the newest turns")
        listed = gr.HTML(elem_id="turns")
        with gr.Row():
            since = gr.Textbox(
                label="Turns from", value="", max_lines=1, info="such as 2026-03-01; empty: the first"
            )
            until = gr.Textbox(label="Turns before", value="", max_lines=1, info="empty: the last")
        save = gr.Button("Save these turns as a file")
        problem, said = gr.Textbox(visible="hidden", label="What went wrong"), gr.HTML(elem_id="turns-said")

    def read(secret: str) -> str:
        with service.client(secret) as client:
            return newest(client.get("/v1/interactions", limit=NEWEST))

    def after_saving(went_wrong: str, start: str, end: str) -> str:
        return saved_as(FILE, went_wrong)

    show.click(read, [key], listed, **PRIVATE)
    save.click(after_saving, [problem, since, until], said, js=SAVE, **PRIVATE)


def newest(turns: Sequence[Json]) -> str:
    """Turns with what came of them."""
    rows = [
        (
            moment(each["created_at"]),
            each["domain"],
            each["question"],
            each["answer"],
            each["outcome"].replace("_", " "),
        )
        for each in turns
    ]
    columns = ("time", "domain", "question", "answer", "outcome")
    words = "The file has all of each turn with its feedback, one JSON object a line."
    return block(table("Turns", columns, rows), paragraph(words, "quiet"))
