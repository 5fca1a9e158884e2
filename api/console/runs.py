"""The page of learn runs: start one, follow it, read what it asks and found, approve or reject it."""

import time
from collections.abc import Iterator
from typing import Any

import gradio as gr

from api.console.lesson_edits import LessonEdits
from api.console.lessons import read_lesson
from api.console.markup import block, moment, paragraph, table
from api.console.report import progress, run_details
from api.console.service import FOLLOWING, PRIVATE, Json, Service, failure, segment
from api.console.steps import steps_drawn

DRAW_SECONDS = 0.5
"""The page is drawn at most this often."""
STATUS_SECONDS = 2.0
"""The run's next step is read at most this often: a read takes 40 ms of the service."""


def build(service: Service, key: gr.State) -> None:
    """Adds the page as a tab."""
    with gr.Tab("Learn runs", id="runs", visible=False) as tab:
        with gr.Row():
            topic = gr.Textbox(label="What to learn", value="", max_lines=1, info="such as: Rust ownership")
            domain = gr.Textbox(label="Only documents of this domain", value="", max_lines=1)
        by_person = gr.Checkbox(label="A person approves the curriculum before it is taught")
        by_model = gr.Checkbox(label="The model decides what is looked up, if its card allows it")
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
            edits = LessonEdits(service)
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

    def begin(secret: str, what: str, where: str, human: bool, model: bool) -> tuple[Any, str]:
        if not (what or "").strip():
            raise failure("say what to learn first")
        body: dict[str, Any] = {"topic": what.strip()}
        if (where or "").strip():
            body["domain"] = where.strip()
        if human:
            body["approval"] = "human"
        if model:
            body["explorer"] = "model"
        with service.client(secret) as client:
            started = client.post("/v1/learn", body)["run_id"]
        return show_list(secret, started)

    def watch(secret: str, run: str | None) -> Iterator[dict[Any, Any]]:
        """The run's steps as they happen, and at its end what it found or asks."""
        path = f"/v1/learn/{segment(run or '')}"
        events: list[Json] = []
        drawn = read = 0.0
        upcoming: list[str] = []
        yield {steps: "", details: "", decision: gr.update(visible=False), asks: None, said: ""}
        with service.client(secret) as client:
            graph = client.get("/assistants/learn/graph")
            for name, data in client.follow(segment(run or "")):
                if name == "progress":
                    events.append(data)
                now = time.monotonic()
                if name != "progress" or now - drawn > DRAW_SECONDS:
                    if name != "progress" or now - read > STATUS_SECONDS:
                        reply, read = client.get(path), now
                        upcoming = reply["next"]
                    drawn = now
                    yield {steps: block(steps_drawn(graph, events, upcoming), progress(events))}
            reply = client.get(path)
            lesson = read_lesson(client, segment(run or "")) if reply["asks"] is not None else None
        yield {
            details: run_details(reply, lesson),
            asks: reply["asks"],
            decision: gr.update(visible=reply["asks"] is not None),
            **edits.shown(lesson),
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

    followed = [steps, details, decision, asks, said, *edits.outputs]
    gr.on([tab.select, refresh.click], show_list, [key, chosen], [chosen, listed], **PRIVATE)
    gr.on(
        [start.click, topic.submit],
        begin,
        [key, topic, domain, by_person, by_model],
        [chosen, listed],
        **PRIVATE,
    ).success(watch, [key, chosen], followed, **FOLLOWING)
    gr.on([follow.click, chosen.input], watch, [key, chosen], followed, **FOLLOWING)
    edits.button.click(edits.apply, [key, chosen, *edits.inputs], said, **PRIVATE).success(
        watch, [key, chosen], followed, **FOLLOWING
    )
    cancel.click(stop, [key, chosen], said, **PRIVATE)
    approve.click(
        lambda k, run, shown, why: decide(k, run, shown, why, True),
        [key, chosen, asks, reason],
        said,
        **PRIVATE,
    ).success(watch, [key, chosen], followed, **FOLLOWING)
    reject.click(
        lambda k, run, shown, why: decide(k, run, shown, why, False),
        [key, chosen, asks, reason],
        said,
        **PRIVATE,
    ).success(watch, [key, chosen], followed, **FOLLOWING)


def _status(run: Json) -> str:
    return "at work, or waiting" if run["outcome"] is None else run["outcome"]["status"].replace("_", " ")
