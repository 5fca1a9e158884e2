"""Facts on the page of memory: those about a name drawn, those that contradict each other, stale ones."""

import gradio as gr

from api.console.markup import block, moment, paragraph, table
from api.console.neighbourhood import neighbourhood
from api.console.service import PRIVATE, Json, Service, failure

ABOUT = 100
"""Facts that are read about one name."""


def build(service: Service, key: gr.State, domain: gr.Textbox) -> None:
    """Adds the part to the page; the domain is the page's own."""
    with gr.Column(visible=False) as part:
        name = gr.Textbox(label="Facts about", value="", max_lines=1, info="a name, as documents use it")
        look = gr.Button("Draw its facts")
        drawn = gr.HTML(elem_id="neighbourhood")
        with gr.Row():
            contradictions = gr.Button("Show contradicting facts")
            old = gr.Button("Show stale facts")
        conflicts, stale = gr.HTML(elem_id="conflicts"), gr.HTML(elem_id="stale")
    service.require("learn", part)

    def draw(secret: str, about: str, where: str) -> str:
        about = " ".join((about or "").split())
        if not about:
            raise failure("write a name first")
        with service.client(secret) as client:
            found = client.get("/v1/memory/facts", about=about, domain=_domain(where), limit=ABOUT)
        return neighbourhood(about, found)

    def list_conflicts(secret: str, where: str) -> str:
        with service.client(secret) as client:
            return contradicting(client.get("/v1/memory/conflicts", domain=_domain(where)))

    def list_stale(secret: str, where: str) -> str:
        with service.client(secret) as client:
            return to_look_up(client.get("/v1/memory/stale", domain=_domain(where)))

    gr.on([look.click, name.submit], draw, [key, name, domain], drawn, **PRIVATE)
    contradictions.click(list_conflicts, [key, domain], conflicts, **PRIVATE)
    old.click(list_stale, [key, domain], stale, **PRIVATE)


def contradicting(reply: Json) -> str:
    """Facts that contradict each other, the current one first."""
    rows = [
        (
            each["current"]["subject"],
            f"{each['current']['sentence']} [{each['current']['source']}]",
            f"{each['other']['sentence']} [{each['other']['source']}]",
            f"{each['kind']}; {each['reason']}",
        )
        for each in reply["conflicts"]
    ]
    words = f"{reply['total']} in all; correct or remove the document that is wrong."
    columns = ("about", "current", "other", "why")
    return block(table("Contradicting facts", columns, rows), paragraph(words, "quiet"))


def to_look_up(reply: Json) -> str:
    """Facts that have ended, or that were read long ago."""
    rows = [
        (each["subject"], each["sentence"], each["source"], moment(each["observed_at"]))
        for each in reply["facts"]
    ]
    words = f"{reply['total']} in all; ingest a newer document under the same name to replace one."
    columns = ("about", "sentence", "source", "first read")
    return block(table("Stale facts", columns, rows), paragraph(words, "quiet"))


def _domain(where: str) -> str | None:
    return (where or "").strip() or None
