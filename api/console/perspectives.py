"""Perspectives on the page of memory: who speaks from where, what each counts for, and who may differ."""

from collections.abc import Sequence
from typing import Any

import gradio as gr

from api.console.markup import block, paragraph, table
from api.console.service import PRIVATE, Json, Service, failure

PATH = "/v1/perspectives"


def build(service: Service, key: gr.State, domain: gr.Textbox) -> None:
    """Adds the part to the page; the domain is the page's own, and the default domain if it is empty."""
    with gr.Column(visible=False) as part:
        with gr.Row():
            show = gr.Button("Show perspectives")
            suggest = gr.Button("Suggest perspectives")
        listed, suggested = gr.HTML(elem_id="perspectives"), gr.HTML(elem_id="camps")
        with gr.Column(visible=False) as declaring:
            documents = gr.Dropdown([], value=[], multiselect=True, label="Documents that speak from it")
            name = gr.Textbox(
                label="Name of the perspective", value="", max_lines=1, info="a name, such as botany"
            )
            with gr.Row():
                declare = gr.Button("Declare this perspective")
                clear = gr.Button("Let them speak from none")
        with gr.Column(visible=False) as weighing:
            weight = gr.Number(
                1.0,
                label="Weight",
                minimum=0,
                maximum=100,
                info="of the one named above; 0: not taught",
            )
            weigh = gr.Button("Weigh this perspective")
    service.require("learn", part)
    service.require("admin", weighing)

    def list_all(secret: str, where: str) -> tuple[str, Any, Any]:
        with service.client(secret) as client:
            found = client.get(PATH, domain=(where or "").strip() or None)
            sources = list(client.sources(_domain(where)))
        return perspectives(found), gr.update(choices=sources, value=[]), gr.update(visible=True)

    def list_camps(secret: str, where: str) -> str:
        with service.client(secret) as client:
            return camps(client.get(f"{PATH}/suggested", domain=(where or "").strip() or None))

    def declare_it(secret: str, sources: list[str], called: str, where: str) -> tuple[str, Any]:
        if not (called or "").strip():
            raise failure("name the perspective first")
        return post(secret, sources, called.strip(), where)

    def clear_it(secret: str, sources: list[str], where: str) -> tuple[str, Any]:
        return post(secret, sources, None, where)

    def post(secret: str, sources: list[str], called: str | None, where: str) -> tuple[str, Any]:
        """The perspectives now, and no documents chosen: the next ones speak from another."""
        if not sources:
            raise failure("choose documents first")
        body = {"name": called, "sources": sources, "domain": _domain(where)}
        with service.client(secret) as client:
            return perspectives(client.post(PATH, body)), gr.update(value=[])

    def weigh_it(secret: str, called: str, value: float, where: str) -> str:
        if not (called or "").strip():
            raise failure("name the perspective first")
        body = {"name": called.strip(), "weight": value, "domain": _domain(where)}
        with service.client(secret) as client:
            return perspectives(client.put(PATH, body))

    show.click(list_all, [key, domain], [listed, documents, declaring], **PRIVATE)
    suggest.click(list_camps, [key, domain], suggested, **PRIVATE)
    declare.click(declare_it, [key, documents, name, domain], [listed, documents], **PRIVATE)
    clear.click(clear_it, [key, documents, domain], [listed, documents], **PRIVATE)
    weigh.click(weigh_it, [key, name, weight, domain], listed, **PRIVATE)


def perspectives(found: Sequence[Json]) -> str:
    """The perspectives in a table."""
    rows = [(each["domain"], each["name"], f"{each['weight']:g}", each["documents"]) for each in found]
    words = (
        "Where they see a thing differently, lessons teach what each holds, the heaviest first."
        if found
        else "No document speaks from a perspective."
    )
    columns = ("domain", "perspective", "weight", "documents")
    return block(table("Perspectives", columns, rows), paragraph(words, "quiet"))


def camps(found: Sequence[Json]) -> str:
    """Documents that contradict each other, in two camps each."""
    rows = [
        (
            ", ".join(each["first"]),
            ", ".join(each["second"]),
            each["conflicts"],
            " / ".join(each["because"][0][side]["sentence"] for side in ("current", "other")),
        )
        for each in found
    ]
    words = (
        "Name a camp above if its documents speak from one perspective." if found else "No documents differ."
    )
    columns = ("one camp", "the other", "contradictions", "such as")
    return block(table("Documents that contradict each other", columns, rows), paragraph(words, "quiet"))


def _domain(where: str) -> str:
    return (where or "").strip() or "general"
