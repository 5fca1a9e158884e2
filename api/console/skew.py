"""A section of the page of nights: how sources, topics, languages and people are represented."""

import gradio as gr

from api.cli.skew import alarms, line
from api.console.markup import block, items, paragraph, table
from api.console.service import PRIVATE, Json, Service

COLUMNS = ("aspect", "learned", "effective", "asked", "effective", "bits", "largest: learned of asked")


def build(service: Service, key: gr.State, domain: gr.Textbox) -> None:
    """Adds the section; the page has a field for the domain."""
    measure = gr.Button("Measure skew")
    measured = gr.HTML(elem_id="skew")

    def show(secret: str, where: str | None) -> str:
        with service.client(secret) as client:
            return skew(client.get("/v1/skew", domain=(where or "").strip() or None))

    measure.click(show, [key, domain], measured, **PRIVATE)


def skew(report: Json) -> str:
    """The aspects in a table, and the alarms."""
    found = list(alarms(report))
    words = "Look at what is out of bounds:" if found else "Nothing is out of bounds."
    return block(
        table(f"Skew of {report['domain']}", COLUMNS, map(line, report["aspects"])),
        paragraph(words, "doubt" if found else "good"),
        items(found),
    )
