"""The page of memory: search with reasons, also of the past; facts, documents, and forgetting."""

from collections.abc import Sequence
from datetime import UTC, datetime

import gradio as gr

from api.console import facts, forgetting, library, perspectives
from api.console.markup import block, paragraph, table
from api.console.service import PRIVATE, Json, Service, failure

QUOTE = 200
"""Characters of a passage that are shown in a list."""


def build(service: Service, key: gr.State) -> None:
    """Adds the page as a tab."""
    with gr.Tab("Memory", id="memory"):
        domain = gr.Textbox(label="Domain", value="", max_lines=1, info="empty: all that you may read")
        query = gr.Textbox(label="Search for", value="", max_lines=2)
        as_of = gr.Textbox(
            label="As of",
            value="",
            max_lines=1,
            info="a past time, such as 2026-03-01 or 2026-03-01 14:30 (UTC): what the library held then",
        )
        search = gr.Button("Search", variant="primary")
        hits = gr.HTML(elem_id="hits")
        facts.build(service, key, domain)
        perspectives.build(service, key, domain)
        library.build(service, key, domain)
        forgetting.build(service, key)

    def find(secret: str, words: str, where: str, when: str) -> str:
        if not (words or "").strip():
            raise failure("say what to search for first")
        request = {"query": words.strip(), "domain": (where or "").strip() or None, "as_of": moment_of(when)}
        with service.client(secret) as client:
            return found(client.post("/v1/search", request)["hits"])

    gr.on([search.click, query.submit], find, [key, query, domain, as_of], hits, **PRIVATE)


def moment_of(written: str) -> str | None:
    """A date, or a date and time, as the api wants it; None for none. Raises gr.Error."""
    if not (written or "").strip():
        return None
    try:
        moment = datetime.fromisoformat(written.strip())
    except ValueError as error:
        raise failure("As of: write a date such as 2026-03-01, or a date and time") from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).isoformat()


def found(hits: Sequence[Json]) -> str:
    """The passages that a search found, and why each was found."""
    if not hits:
        return block(paragraph("Nothing was found.", "quiet"))
    rows = [
        (f"{hit['score']:.2f}", hit["source"], " ".join(hit["text"].split())[:QUOTE], reason(hit))
        for hit in hits
    ]
    return block(table("Found", ("score", "source", "passage", "why"), rows))


def reason(hit: Json) -> str:
    """Why a passage was found: its signals, and the way through the graph."""
    signals = ", ".join(f"{name} {score:.2f}" for name, score in hit["scores"].items())
    return f"{signals}; {hit['path']}" if hit["path"] else signals
