"""The page of nights: start, schedule or stop one, read its morning report, and decide on its answers."""

import base64
import re
from collections.abc import Sequence
from typing import Any

import gradio as gr

from api.cli.client import Refused
from api.console import decisions, schedules, skew
from api.console.markup import block, fields, heading, items, moment, paragraph, table
from api.console.service import PRIVATE, Json, Service, segment


def build(service: Service, key: gr.State) -> None:
    """Adds the page as a tab."""
    with gr.Tab("Nights", id="nights", visible=False) as tab:
        domain = gr.Textbox(label="Domain", value="", max_lines=1, info="empty: the base model's")
        train = gr.Checkbox(label="Train and deploy", value=True)
        start = gr.Button("Start a night", variant="primary")
        listed = gr.HTML(elem_id="nights")
        chosen = gr.Dropdown(label="Night", choices=[], value=None)
        with gr.Row():
            stop = gr.Button("Stop the night")
            refresh = gr.Button("Refresh")
        said, details = gr.HTML(), gr.HTML(elem_id="night")
        decisions.build(service, key)
        schedules.build(service, key, tab)
        skew.build(service, key, domain)
    service.require("learn", tab)

    def show(secret: str, current: str | None) -> tuple[Any, str]:
        with service.client(secret) as client:
            nights = client.get("/v1/nights")
        choices = [
            (f"{moment(each['began_at'])} {each['domain']} ({each['id']})", each["id"]) for each in nights
        ]
        rows = [
            (
                each["id"],
                each["domain"],
                each["status"],
                moment(each["began_at"]),
                each["adapter"],
                each["reason"],
            )
            for each in nights
        ]
        columns = ("night", "domain", "status", "began", "deployed", "reason")
        known = current if any(each["id"] == current for each in nights) else None
        return gr.update(choices=choices, value=known), block(table("Nights", columns, rows))

    def show_one(secret: str, night: str | None) -> str:
        if night is None:
            return ""
        path = f"/v1/nights/{segment(night)}"
        with service.client(secret) as client:
            found = client.get(path)
            attacked = client.get("/v1/attacks", night_id=night)
            report = client.download(f"{path}/report", format="markdown").decode()
            try:
                plot = _picture(client.download(f"{path}/plot.png"))
            except Refused as error:
                plot = paragraph(f"No plot: {error}", "quiet")
        return block(steps(found), as_html(report), attacks(attacked), plot)

    def begin(secret: str, where: str, trains: bool) -> tuple[Any, str, str]:
        body: dict[str, Any] = {"options": {"train": trains}}
        if (where or "").strip():
            body["domain"] = where.strip()
        with service.client(secret) as client:
            night = client.post("/v1/nights", body)
        words = f"Night {night['id']} goes over {night['domain']}; it waits until the service is quiet."
        return *show(secret, night["id"]), block(paragraph(words, "good"))

    def end(secret: str, night: str | None) -> str:
        with service.client(secret) as client:
            client.post(f"/v1/nights/{segment(night or '')}/stop")
        return block(paragraph(f"Night {night} is being stopped.", "doubt"))

    gr.on([tab.select, refresh.click], show, [key, chosen], [chosen, listed], **PRIVATE)
    gr.on([refresh.click, chosen.input], show_one, [key, chosen], details, **PRIVATE)
    start.click(begin, [key, domain, train], [chosen, listed, said], **PRIVATE)
    stop.click(end, [key, chosen], said, **PRIVATE)


def steps(night: Json) -> str:
    """What the night did, step by step."""
    rows = [
        (each["step"], each["status"], f"{each['seconds']:.1f} s", each["reason"]) for each in night["steps"]
    ]
    about = {
        "night": night["id"],
        "domain": night["domain"],
        "status": night["status"],
        "reason": night["reason"],
    }
    return fields(about) + table("Steps", ("step", "status", "took", "what"), rows)


def attacks(made: Sequence[Json]) -> str:
    """What the night asked the model to lead it astray, and what it answered; what worked comes first."""
    if not made:
        return ""
    rows = [
        (
            each["result"],
            each["kind"].replace("_", " "),
            " / ".join(said["content"] for said in each["messages"]),
            each["answer"],
            each["expected"],
        )
        for each in sorted(made, key=lambda each: each["result"] != "fell")
    ]
    return table("Attacks", ("result", "kind", "what was said", "answer", "what is right"), rows)


def as_html(report: str) -> str:
    """A report in Markdown as HTML: headings, tables and lists; all its text is shown as text."""
    parts: list[str] = []
    for kind, lines in _blocks(report):
        if kind == "#":
            parts += [heading(line.lstrip("# ")) for line in lines]
        elif kind == "|":
            rows = [_cells(line) for line in lines if not re.fullmatch(r"[|:\- ]+", line)]
            parts.append(table("", rows[0], rows[1:]) if rows else "")
        elif kind == "-":
            parts.append(items(line.lstrip("- ") for line in lines))
        else:
            parts += [paragraph(line) for line in lines]
    return "".join(parts)


def _blocks(report: str) -> list[tuple[str, list[str]]]:
    """Neighbouring lines of one kind; the kind is their first character if it is one of # | -."""
    blocks: list[tuple[str, list[str]]] = []
    for line in report.splitlines():
        kind = line[:1] if line[:1] in ("#", "|", "-") else ""
        if not line.strip():
            blocks.append(("", []))
        elif blocks and blocks[-1][0] == kind and blocks[-1][1]:
            blocks[-1][1].append(line)
        else:
            blocks.append((kind, [line]))
    return blocks


def _cells(line: str) -> list[str]:
    return [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]


def _picture(png: bytes) -> str:
    data = base64.b64encode(png).decode()
    return f'<img alt="Figures over the nights" style="max-width: 100%" src="data:image/png;base64,{data}">'
