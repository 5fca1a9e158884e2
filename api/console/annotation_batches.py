"""Batches of annotation, for admins: draw one, how far each is, and how far the annotators agree."""

from collections.abc import Sequence
from typing import Any

import gradio as gr

from api.cli.annotate import PATIENCE_SECONDS
from api.console.markup import block, fields, heading, items, paragraph, table
from api.console.service import PRIVATE, Json, Service, failure

ALTERNATIVES = ("sampled", "teacher")
ALL = "all batches"
MOST = 200
"""Most turns that the api draws at once."""


def build(service: Service, key: gr.State) -> None:
    """Adds the part of the annotation page that admins see."""
    gr.HTML(block(heading("Batches")))
    with gr.Row():
        name = gr.Textbox(label="Name of the batch", value="", max_lines=1, info="such as: monday")
        count = gr.Number(label="Most items", value=20, minimum=1, maximum=MOST, precision=0)
        annotators = gr.Number(label="Judgements of each", value=1, minimum=1, maximum=9, precision=0)
    with gr.Row():
        alternative = gr.Dropdown(
            label="Compare with",
            choices=list(ALTERNATIVES),
            value=ALTERNATIVES[0],
            allow_custom_value=True,
            info="sampled: the same model again; or an adapter's name",
        )
        domain = gr.Textbox(
            label="Turns of this domain only", value="", max_lines=1, info="empty: of all domains"
        )
    draw = gr.Button("Draw a batch")
    drawn = gr.HTML(elem_id="drawn")
    chosen = gr.Dropdown(label="Agreement in", choices=[ALL], value=ALL)
    refresh = gr.Button("Show progress and agreement")
    shown = gr.HTML(elem_id="agreement")

    def measure(secret: str, which: str) -> tuple[Any, str]:
        batch = None if which in (ALL, None) else which
        with service.client(secret) as client:
            batches = client.get("/v1/annotation/items", limit=1)["batches"]
            report = client.get("/v1/annotation/agreement", batch=batch)
        names = [ALL, *(each["batch"] for each in batches)]
        return gr.update(choices=names), block(progress(batches), agreement(report))

    def sample(
        secret: str, batch: str, most: float | None, judgements: float | None, against: str, where: str
    ) -> str:
        if not (batch or "").strip():
            raise failure("name the batch first")
        body = {
            "batch": batch.strip(),
            "count": int(most or 0),
            "annotators": int(judgements or 0),
            "alternative": (against or "").strip(),
            "domain": (where or "").strip() or None,
        }
        with service.client(secret) as client:
            return drawing(client.post("/v1/annotation/sample", body, seconds=PATIENCE_SECONDS))

    again: dict[str, Any] = {"fn": measure, "inputs": [key, chosen], "outputs": [chosen, shown], **PRIVATE}
    gr.on([refresh.click, chosen.input], **again)
    wanted = [key, name, count, annotators, alternative, domain]
    draw.click(sample, wanted, drawn, **PRIVATE).success(**again)


def drawing(reply: Json) -> str:
    """What was drawn, and why; what was left out, and why."""
    added = (
        f"{reply['items']} items were added to {reply['batch']}, of {reply['drawn']} turns drawn from "
        f"{reply['candidates']} ({reply['duplicates']} near duplicates left out)."
    )
    reasons = [f"{count} by {why}" for why, count in reply["reasons"].items()]
    dropped = [f"{count} dropped: {why}" for why, count in reply["dropped"].items()]
    return block(paragraph(added, "good" if reply["items"] else "doubt"), items(reasons + dropped))


def progress(batches: Sequence[Json]) -> str:
    """How far each batch is."""
    names = ("batch", "done", "open", "gold", "judgements")
    return table("Progress", names, [[each[name] for name in names] for each in batches])


def agreement(report: Json) -> str:
    """Krippendorff's alpha in words, and each annotator's figures."""
    rows = [
        (
            each["annotator"], each["judgements"], each["skips"], _gold(each),
            "" if each["median_seconds"] is None else f"{each['median_seconds']:.1f} s",
            f"careless: {'; '.join(each['reasons'])}" if each["careless"] else "trusted",
        )
        for each in report["annotators"]
    ]  # fmt: skip
    columns = ("annotator", "judgements", "skipped", "gold items right", "median time", "")
    return fields(
        {
            "Krippendorff's alpha": _alpha(report["alpha"], report["items"]),
            "without careless annotators": _alpha(report["trusted_alpha"], report["items"]),
        }
    ) + table("Annotators", columns, rows)


def _alpha(alpha: float | None, count: int) -> str:
    if alpha is None:
        return "undefined: it needs items that two people judged, and judgements that differ"
    return f"{alpha:.2f} on {count} items (1: they always agree, 0: no more than by chance)"


def _gold(annotator: Json) -> str:
    return f"{annotator['right']} of {annotator['gold']}" if annotator["gold"] else "none judged"
