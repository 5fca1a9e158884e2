"""The page of adapters: lineage and figures of each domain's versions; promote one, or roll a domain back."""

from collections.abc import Sequence
from itertools import groupby
from typing import Any

import gradio as gr

from api.cli.display import bars, longitudinal
from api.console.markup import block, fields, heading, moment, paragraph, table
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
        said, details = gr.HTML(), gr.HTML(elem_id="adapter")
    service.require("admin", tab)

    def show(secret: str) -> tuple[Any, Any, str]:
        with service.client(secret) as client:
            adapters = client.get("/v1/adapters")
        names = [adapter["name"] for adapter in adapters]
        domains = sorted({adapter["domain"] for adapter in adapters})
        return (
            gr.update(choices=names, value=None),
            gr.update(choices=domains, value=None),
            versions(adapters),
        )

    def show_one(secret: str, name: str | None) -> str:
        if name is None:
            return ""
        with service.client(secret) as client:
            return adapter_details(client.get(f"/v1/adapters/{segment(name)}"))

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

    again: dict[str, Any] = {"fn": show, "inputs": [key], "outputs": [chosen, domain, listed], **PRIVATE}
    gr.on([tab.select, refresh.click], **again)
    chosen.input(show_one, [key, chosen], details, **PRIVATE)
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
        parts += [heading(domain), table("Versions", columns, rows)]
        history: list[tuple[str, str, str, str]] = []
        for label, figures in longitudinal(members).items():
            if measured := [share for share in figures if share is not None]:
                history.append((label, bars(figures), f"{measured[0]:.1%}", f"{measured[-1]:.1%}"))
        parts.append(table("Over the versions", ("figure", "course", "first", "last"), history))
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
        heading(adapter["name"]), fields(shown | more), evaluation(adapter), gates(adapter["verdict"])
    )


def _accuracy(measured: Json) -> str:
    return f"{measured['in_distribution']['accuracy']:.0%}"
