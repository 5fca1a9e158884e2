"""The page of health: whether each part is ready, what the service is doing, and the newest audit rows."""

import json
from datetime import UTC, datetime

import gradio as gr

from api.console.activity import activity
from api.console.markup import block, paragraph, table
from api.console.service import PRIVATE, Json, Service

NEWEST = 100
"""Rows of the audit log that are shown."""


def build(service: Service, key: gr.State) -> None:
    """Adds the page as a tab."""
    with gr.Tab("Health", id="health") as tab:
        refresh = gr.Button("Refresh")
        parts = gr.HTML(elem_id="parts")
        with gr.Column(visible=False) as figures:
            measured = gr.HTML(elem_id="activity")
            measure = gr.Button("Show what the service is doing")
        with gr.Column(visible=False) as log:
            rows = gr.HTML(elem_id="audit")
            read = gr.Button("Show the audit log")
    service.require("metrics", figures)
    service.require("admin", log)

    def show(secret: str) -> str:
        with service.client(secret) as client:
            return readiness(client.readiness())

    def show_activity(secret: str) -> str:
        with service.client(secret) as client:
            return activity(client.download("/metrics").decode())

    def show_log(secret: str) -> str:
        with service.client(secret) as client:
            verified = client.get("/v1/audit/verification")
            newest = client.lines("/v1/audit", after=max(verified["rows"] - NEWEST, 0), limit=NEWEST)
            return audit(verified, [json.loads(line) for line in newest if line])

    gr.on([tab.select, refresh.click], show, [key], parts, **PRIVATE)
    measure.click(show_activity, [key], measured, **PRIVATE)
    read.click(show_log, [key], rows, **PRIVATE)


def readiness(reply: Json) -> str:
    """Every part and whether it is ready."""
    words = "The service is ready." if reply["ready"] else "The service is not ready: see its log."
    return block(
        paragraph(words, "good" if reply["ready"] else "bad"),
        table("Parts", ("part", "state"), reply["parts"].items()),
    )


def audit(verified: Json, newest: list[Json]) -> str:
    """The newest rows, newest first, and whether all rows are as they were written."""
    if verified["problem"] is None:
        intact = paragraph(f"{verified['rows']} rows, all as they were written.", "good")
    else:
        words = f"the audit log is not intact: {verified['problem']}; compare it with a backup"
        intact = paragraph(words, "bad")
    lines = [(row["number"], _when(row["time"]), row["action"], row["subject"], row["by"]) for row in newest]
    return block(intact, table("Audit log", ("row", "time", "action", "subject", "by"), lines[::-1]))


def _when(time: float) -> str:
    return f"{datetime.fromtimestamp(time, UTC):%Y-%m-%d %H:%M}"
