"""The page of adapters: lineage and figures over a domain's versions; promote, roll back, forget a lesson."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import gradio as gr

from api.cli.display import longitudinal
from api.console.lineage import lineage
from api.console.markup import block, fields, figures_beside, heading, moment, paragraph, table
from api.console.models import calibration
from api.console.plots import course
from api.console.report import evaluation, gates
from api.console.service import PRIVATE, Json, Service, failure, segment


def build(service: Service, key: gr.State) -> None:
    """Adds the page as a tab."""
    with gr.Tab("Adapters", id="adapters", visible=False) as tab:
        listed = gr.HTML(elem_id="adapters")
        with gr.Row():
            chosen = gr.Dropdown(label="Adapter", choices=[], value=None)
            domain = gr.Dropdown(label="Domain", choices=[], value=None)
        with gr.Row():
            promote = gr.Button("Promote the adapter", variant="primary")
            roll_back = gr.Button("Roll the domain back")
            refresh = gr.Button("Refresh")
        with gr.Row():
            lesson = gr.Dropdown(
                label="Lesson of the adapter",
                choices=[],
                value=None,
                info="choose an adapter first; a lesson is named by its digest",
            )
            why = gr.Textbox(label="Why it is forgotten", value="", max_lines=2)
            forget = gr.Button("Forget the lesson")
        said, details = gr.HTML(), gr.HTML(elem_id="adapter")
    service.require("admin", tab)

    def show(secret: str) -> tuple[Any, Any, Any, str, str]:
        with service.client(secret) as client:
            adapters = client.entries("/v1/adapters", "name")
        names = [adapter["name"] for adapter in adapters]
        domains = sorted({adapter["domain"] for adapter in adapters})
        return (
            gr.update(choices=names, value=None),
            gr.update(choices=domains, value=None),
            gr.update(choices=[], value=None),
            versions(adapters),
            "",
        )

    def show_one(secret: str, name: str | None) -> tuple[Any, str]:
        if name is None:
            return gr.update(choices=[], value=None), ""
        with service.client(secret) as client:
            found = client.get(f"/v1/adapters/{segment(name)}")
        learned = [*found["rehearsed"], *([found["curriculum"]] if found["curriculum"] else [])]
        return gr.update(choices=learned, value=None), adapter_details(found)

    def start_forgetting(secret: str, name: str | None, digest: str | None, reason: str) -> str:
        """Starts a run that retrains the chosen adapter's domain without the lesson."""
        if name is None or digest is None:
            raise failure("choose an adapter and one of its lessons first")
        with service.client(secret) as client:
            where = client.get(f"/v1/adapters/{segment(name)}")["domain"]
            body = {"domain": where, "curriculum": digest, "reason": (reason or "").strip()}
            run = client.post("/v1/adapters/forget", body)["run_id"]
        words = f"Run {run} makes {where} forget the lesson {digest[:8]}: follow it under Learn runs."
        return block(paragraph(words, "good"))

    def make_live(secret: str, name: str | None) -> str:
        with service.client(secret) as client:
            serving = client.post(f"/v1/adapters/{segment(name or '')}/promote")
        return block(paragraph(f"{serving['domain']} is now served by {name}", "good"))

    def go_back(secret: str, which: str | None) -> str:
        if which is None:
            raise failure("choose a domain first")
        with service.client(secret) as client:
            serving = client.post("/v1/adapters/rollback", {"domain": which})
        name = serving["adapter"]["name"] if serving["adapter"] else "the base model"
        return block(paragraph(f"{which} is now served by {name}", "good"))

    outputs = [chosen, domain, lesson, listed, details]
    again: dict[str, Any] = {"fn": show, "inputs": [key], "outputs": outputs, **PRIVATE}
    gr.on([tab.select, refresh.click], **again)
    chosen.input(show_one, [key, chosen], [lesson, details], **PRIVATE)
    forget.click(start_forgetting, [key, chosen, lesson, why], said, **PRIVATE)
    promote.click(make_live, [key, chosen], said, **PRIVATE).success(**again)
    roll_back.click(go_back, [key, domain], said, **PRIVATE).success(**again)


def versions(adapters: Sequence[Json]) -> str:
    """Each domain's versions with their parents and figures, and how the figures went."""
    if not adapters:
        return block(paragraph("nothing yet: a learn run makes the first version", "quiet"))
    parts: list[str] = []
    for domain, group in groupby(adapters, key=lambda adapter: str(adapter["domain"])):
        members = list(group)
        rows = [
            (
                each["name"], each["status"], each["parent"] or "the base model", _accuracy(each["before"]),
                _accuracy(each["after"]), moment(each["created_at"]),
            )
            for each in members
        ]  # fmt: skip
        columns = ("adapter", "status", "made from", "before", "after", "created")
        parts += [heading(domain), lineage(domain, members), table("Versions", columns, rows)]
        numbers = [str(each["version"]) for each in members]
        plots = {
            label: course(f"{domain}, {label}", numbers, figures)
            for label, figures in longitudinal(members).items()
            if any(share is not None for share in figures)
        }
        parts += [heading(f"{domain}, over its versions"), figures_beside(plots)]
    return block(*parts)


def adapter_details(adapter: Json) -> str:
    """Everything about one adapter."""
    named = ("name", "domain", "status", "base_model", "recipe", "curriculum", "created_at")
    shown = {name.replace("_", " "): adapter[name] for name in named}
    more: dict[str, object] = {
        "made from": adapter["parent"] or "the base model",
        "training": f"{adapter['training_seconds']:.0f} s",
    }
    return block(
        heading(adapter["name"]),
        fields(shown | more),
        evaluation(adapter),
        gates(adapter["verdict"]),
        principles(adapter["before"]["principles"], adapter["after"]["principles"]),
        *calibration(adapter["gate"]),
    )


def principles(before: Mapping[str, int], after: Mapping[str, int]) -> str:
    """How many answers of the evaluation break each principle, without the adapter and with it."""
    rows = [(id, before.get(id, 0), after.get(id, 0)) for id in sorted({*before, *after})]
    return table("Answers that break a principle", ("principle", "before", "after"), rows) if rows else ""


def _accuracy(measured: Json) -> str:
    return f"{measured['in_distribution']['accuracy']:.0%}"
