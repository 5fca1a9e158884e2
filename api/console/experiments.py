"""The page of experiments: start one against what is live, read its figures, check it, or stop it."""

from typing import Any

import gradio as gr

from api.console.experiment_report import report
from api.console.markup import block, moment, paragraph, table
from api.console.service import PRIVATE, Json, Service, failure, segment

GOALS = ("engagement", "rating", "session_minutes")
TRIABLE = ("candidate", "retired")
TREATMENT = "variant"
"""Name of the variant beside the control."""


def build(service: Service, key: gr.State) -> None:
    """Adds the page as a tab."""
    with gr.Tab("Experiments", id="experiments", visible=False) as tab:
        adapter = gr.Dropdown(label="Try this adapter against what is live", choices=[], value=None)
        goal = gr.Radio(GOALS, value=GOALS[0], label="What it should raise")
        name = gr.Textbox(label="Name of the experiment", value="", max_lines=1)
        with gr.Row():
            share = gr.Slider(0.05, 0.95, 0.5, step=0.05, label="Share of the users that get it")
            coverage = gr.Slider(0.05, 1.0, 1.0, step=0.05, label="Share of the users that take part")
        with gr.Row():
            minimum = gr.Number(
                label="Least users of each before any decision", value=200, minimum=2, precision=0
            )
            planned = gr.Number(
                label="Users after which it ends without a winner", value=2000, minimum=4, precision=0
            )
        proven = gr.Checkbox(label="Promote only once each guardrail is shown to hold", value=True)
        start = gr.Button("Start the experiment", variant="primary")
        listed = gr.HTML(elem_id="experiments")
        chosen = gr.Dropdown(label="Experiment", choices=[], value=None)
        with gr.Row():
            check = gr.Button("Check it now")
            refresh = gr.Button("Refresh")
        with gr.Row():
            reason = gr.Textbox(label="Why it is stopped", value="", max_lines=2)
            stop = gr.Button("Stop the experiment")
        said, figures = gr.HTML(), gr.HTML(elem_id="figures")
    service.require("admin", tab)

    def show(secret: str, current: str | None) -> tuple[Any, Any, str]:
        with service.client(secret) as client:
            experiments = client.get("/v1/experiments", limit=1000)
            adapters = client.entries("/v1/adapters", "name")
        names = [each["name"] for each in adapters if each["status"] in TRIABLE]
        choices = [
            (f"{each['name']}, {each['domain']}: {each['status']} ({each['id']})", each["id"])
            for each in experiments
        ]
        known = current if any(each["id"] == current for each in experiments) else None
        return gr.update(choices=names), gr.update(choices=choices, value=known), listing(experiments)

    def show_one(secret: str, experiment: str | None) -> str:
        if experiment is None:
            return ""
        with service.client(secret) as client:
            return report(client.get(f"/v1/experiments/{segment(experiment)}"))

    def begin(
        secret: str,
        tried: str | None,
        wanted: str,
        called: str,
        portion: float,
        covered: float,
        least: float | None,
        most: float | None,
        strict: bool,
    ) -> tuple[Any, ...]:
        if tried is None:
            raise failure("choose an adapter first: a learn run or a preference set trains one")
        with service.client(secret) as client:
            domain = client.get(f"/v1/adapters/{segment(tried)}")["domain"]
            body = {
                "domain": domain,
                "name": (called or "").strip() or f"{tried} against what is live"[:80],
                "variants": [{"name": TREATMENT, "adapter": tried, "share": portion}],
                "goal": wanted,
                "coverage": covered,
                "minimum": int(least or 0),
                "planned": int(most or 0),
                "prove_guardrails": strict,
            }
            started = client.post("/v1/experiments", body)["id"]
        words = f"Experiment {started} runs on {domain}."
        return *show(secret, started), show_one(secret, started), block(paragraph(words, "good"))

    def look(secret: str, experiment: str | None) -> tuple[Any, ...]:
        with service.client(secret) as client:
            found = client.post(f"/v1/experiments/{segment(experiment or '')}/check")
        last = found["experiment"]["log"][-1]
        words = f"{last['action'].replace('_', ' ')}: {last['reason']}"
        return *show(secret, experiment), report(found), block(paragraph(words, "quiet"))

    def end(secret: str, experiment: str | None, why: str) -> tuple[Any, ...]:
        if not (why or "").strip():
            raise failure("say why first")
        path = f"/v1/experiments/{segment(experiment or '')}/stop"
        with service.client(secret) as client:
            stopped = client.post(path, {"reason": why.strip()})
        words = f"{stopped['name']} is stopped; {stopped['domain']} is served as before."
        return *show(secret, experiment), show_one(secret, experiment), block(paragraph(words, "good"))

    shown = [adapter, chosen, listed]
    gr.on([tab.select, refresh.click], show, [key, chosen], shown, **PRIVATE)
    gr.on([refresh.click, chosen.input], show_one, [key, chosen], figures, **PRIVATE)
    asked = [key, adapter, goal, name, share, coverage, minimum, planned, proven]
    start.click(begin, asked, [*shown, figures, said], **PRIVATE)
    check.click(look, [key, chosen], [*shown, figures, said], **PRIVATE)
    stop.click(end, [key, chosen, reason], [*shown, figures, said], **PRIVATE)


def listing(experiments: list[Json]) -> str:
    """All experiments, newest first."""
    rows = [
        (
            each["name"],
            each["domain"],
            each["status"].replace("_", " "),
            ", ".join(f"{variant['name']} {variant['share']:.0%}" for variant in each["variants"]),
            moment(each["created_at"]),
            each["id"],
        )
        for each in experiments
    ]
    columns = ("name", "domain", "status", "variants", "started", "experiment")
    return block(table("Experiments", columns, rows))
