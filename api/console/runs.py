"""The page of learn runs: start one, follow it, read what it asks and found, approve or reject it."""

import time
from collections.abc import Iterator
from typing import Any

import gradio as gr

from api.console.markup import block, moment, paragraph, table
from api.console.report import progress, run_details
from api.console.service import PRIVATE, Json, Service, failure, segment

FOLLOWERS = 16
"""Runs that are followed at once; each takes one of the process's 40 threads."""
DRAW_SECONDS = 0.5
"""The page is drawn at most this often."""


def build(service: Service, key: gr.State) -> None:
    """Adds the page as a tab."""
    with gr.Tab("Learn runs", id="runs", visible=False) as tab:
        with gr.Row():
            topic = gr.Textbox(label="What to learn", value="", max_lines=1, info="such as: Rust ownership")
            domain = gr.Textbox(label="Only documents of this domain", value="", max_lines=1)
        by_person = gr.Checkbox(label="A person approves the curriculum before it is taught")
        start = gr.Button("Start a learn run", variant="primary")
        listed = gr.HTML()
        chosen = gr.Dropdown(label="Run", choices=[], value=None)
        with gr.Row():
            follow = gr.Button("Follow")
            cancel = gr.Button("Cancel the run")
            refresh = gr.Button("Refresh")
        steps, details, asks = gr.HTML(elem_id="steps"), gr.HTML(elem_id="details"), gr.State(None)
        with gr.Column(visible=False) as decision:
            reason = gr.Textbox(label="Why", value="", max_lines=2)
            with gr.Row():
                approve = gr.Button("Approve", variant="primary", visible=False)
                reject = gr.Button("Reject", visible=False)
        said = gr.HTML()
    service.require("learn", tab)
    service.require("approve", approve, reject)

    def show_list(secret: str, current: str | None) -> tuple[Any, str]:
        with service.client(secret) as client:
            runs = client.get("/v1/learn")
        choices = [(f"{run['subject']} ({run['id']})", run["id"]) for run in runs]
        rows = [
            (run["id"], run["subject"], _status(run), run["domain"], moment(run["started_at"]))
            for run in runs
        ]
        known = current if any(run["id"] == current for run in runs) else None
        return (
            gr.update(choices=choices, value=known),
            block(table("Learn runs", ("run", "subject", "status", "domain", "started"), rows)),
        )

    def begin(secret: str, what: str, where: str, human: bool) -> tuple[Any, str]:
        if not (what or "").strip():
            raise failure("say what to learn first")
        body: dict[str, Any] = {"topic": what.strip()}
        if (where or "").strip():
            body["domain"] = where.strip()
        if human:
            body["approval"] = "human"
        with service.client(secret) as client:
            started = client.post("/v1/learn", body)["run_id"]
        return show_list(secret, started)

    def watch(secret: str, run: str | None) -> Iterator[dict[Any, Any]]:
        """The run's steps as they happen, and at its end what it found or asks."""
        path = f"/v1/learn/{segment(run or '')}"
        events: list[Json] = []
        drawn = 0.0
        yield {steps: "", details: "", decision: gr.update(visible=False), asks: None, said: ""}
        with service.client(secret) as client:
            for name, data in client.follow(segment(run or "")):
                if name == "progress":
                    events.append(data)
                if name != "progress" or time.monotonic() - drawn > DRAW_SECONDS:
                    drawn = time.monotonic()
                    yield {steps: progress(events)}
            reply = client.get(path)
        yield {
            details: run_details(reply),
            asks: reply["asks"],
            decision: gr.update(visible=reply["asks"] is not None),
        }

    def decide(secret: str, run: str | None, shown: Json, why: str, approved: bool) -> str:
        body = {"approved": approved, "reason": why or "", "digests": shown["digests"]}
        with service.client(secret) as client:
            client.post(f"/v1/learn/{segment(run or '')}/approval", body)
        words = "Approved: follow its training." if approved else "Rejected; its gap stays open."
        return block(paragraph(words, "good"))

    def stop(secret: str, run: str | None) -> str:
        with service.client(secret) as client:
            client.post(f"/v1/learn/{segment(run or '')}/cancel", {"reason": ""})
        return block(paragraph(f"Run {run} is being cancelled.", "doubt"))

    followed = [steps, details, decision, asks, said]
    quiet: dict[str, Any] = {**PRIVATE, "concurrency_limit": FOLLOWERS, "concurrency_id": "follow"}
    gr.on([tab.select, refresh.click], show_list, [key, chosen], [chosen, listed], **PRIVATE)
    gr.on(
        [start.click, topic.submit], begin, [key, topic, domain, by_person], [chosen, listed], **PRIVATE
    ).success(watch, [key, chosen], followed, **quiet)
    gr.on([follow.click, chosen.input], watch, [key, chosen], followed, **quiet)
    cancel.click(stop, [key, chosen], said, **PRIVATE)
    approve.click(
        lambda k, run, shown, why: decide(k, run, shown, why, True),
        [key, chosen, asks, reason],
        said,
        **PRIVATE,
    ).success(watch, [key, chosen], followed, **quiet)
    reject.click(
        lambda k, run, shown, why: decide(k, run, shown, why, False),
        [key, chosen, asks, reason],
        said,
        **PRIVATE,
    ).success(watch, [key, chosen], followed, **quiet)


def _status(run: Json) -> str:
    return "at work, or waiting" if run["outcome"] is None else run["outcome"]["status"].replace("_", " ")
