"""The page of gaps: questions that the service could not answer, the most pressing first."""

from typing import Any

import gradio as gr

from api.console.markup import block, moment, paragraph, table
from api.console.service import PRIVATE, Json, Service, segment

STATUSES = ("open", "learning", "closed", "dismissed")


def build(service: Service, key: gr.State) -> None:
    """Adds the page as a tab."""
    with gr.Tab("Gaps", id="gaps", visible=False) as tab:
        status = gr.Radio(STATUSES, value="open", label="Gaps that are")
        listed = gr.HTML(elem_id="gaps")
        chosen = gr.Dropdown(label="Gap", choices=[], value=None)
        with gr.Row():
            learn = gr.Button("Learn it", variant="primary")
            dismiss = gr.Button("Dismiss")
            refresh = gr.Button("Refresh")
        said = gr.HTML()
    service.require("learn", tab)

    def show(secret: str, which: str) -> tuple[Any, str]:
        with service.client(secret) as client:
            gaps = sorted(client.get("/v1/gaps", status=which, limit=1000), key=_rank)
        choices = [(f"{gap['question']} ({gap['id']})", gap["id"]) for gap in gaps]
        rows = [
            (
                gap["question"],
                gap["domain"],
                _confidence(gap),
                "; ".join(each["text"] for each in gap["corrections"]),
                moment(gap["opened_at"]),
                gap["id"],
            )
            for gap in gaps
        ]
        columns = ("question", "domain", "likely right", "corrections by users", "opened", "gap")
        return gr.update(choices=choices, value=None), block(table("Gaps", columns, rows))

    def begin(secret: str, gap: str | None) -> str:
        segment(gap or "")
        with service.client(secret) as client:
            run = client.post("/v1/learn", {"gap_id": gap})["run_id"]
        return block(paragraph(f"Run {run} was started: follow it under Learn runs.", "good"))

    def drop(secret: str, gap: str | None) -> str:
        with service.client(secret) as client:
            client.post(f"/v1/gaps/{segment(gap or '')}/dismiss")
        return block(paragraph(f"Gap {gap} is dismissed.", "good"))

    again: dict[str, Any] = {"fn": show, "inputs": [key, status], "outputs": [chosen, listed], **PRIVATE}
    gr.on([tab.select, refresh.click, status.input], **again)
    learn.click(begin, [key, chosen], said, **PRIVATE).success(**again)
    dismiss.click(drop, [key, chosen], said, **PRIVATE).success(**again)


def _rank(gap: Json) -> tuple[int, float, str]:
    """Corrected by most users first, then the least sure, then the oldest."""
    seen = gap["uncertainty"]
    sure = seen["confidence"] if seen and seen["confidence"] is not None else 0.0
    return -len(gap["corrections"]), sure, gap["opened_at"]


def _confidence(gap: Json) -> str:
    seen = gap["uncertainty"]
    return f"{seen['confidence']:.0%}" if seen and seen["confidence"] is not None else "not known"
