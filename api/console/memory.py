"""The page of memory: search with reasons, also of the past, and documents with what is stored of them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import gradio as gr

from api.console import facts, perspectives
from api.console.markup import block, fields, heading, paragraph, prose, table
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
        with gr.Column(visible=False) as documents:
            chosen = gr.Dropdown(label="Document", choices=[], value=None)
            refresh = gr.Button("Refresh the documents")
            contents = gr.HTML(elem_id="contents")
    service.require("learn", documents)

    def find(secret: str, words: str, where: str, when: str) -> str:
        if not (words or "").strip():
            raise failure("say what to search for first")
        request = {"query": words.strip(), "domain": (where or "").strip() or None, "as_of": moment_of(when)}
        with service.client(secret) as client:
            return found(client.post("/v1/search", request)["hits"])

    def list_documents(secret: str, where: str) -> Any:
        with service.client(secret) as client:
            sources = client.get("/v1/documents", domain=(where or "").strip() or None)["sources"]
        label = f"Document ({len(sources)})" if len(sources) < 1000 else "Document (the first 1000)"
        return gr.update(choices=sources, value=None, label=label)

    def open_document(secret: str, source: str | None) -> str:
        if source is None:
            return ""
        with service.client(secret) as client:
            return stored(client.get("/v1/documents/contents", source=source))

    gr.on([search.click, query.submit], find, [key, query, domain, as_of], hits, **PRIVATE)
    refresh.click(list_documents, [key, domain], chosen, **PRIVATE)
    chosen.input(open_document, [key, chosen], contents, **PRIVATE)


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


def stored(documents: Sequence[Json]) -> str:
    """What is stored of a document: its passages and facts."""
    parts: list[str] = []
    for document in documents:
        passages, facts = document["passages"], document["facts"]
        title = passages[0]["title"] if passages else document["source"]
        about = {"source": document["source"], "domain": document["domain"], "owner": document["owner"]}
        rows = [(fact["subject"], fact["relation"], fact["object"], fact["sentence"]) for fact in facts]
        parts += [heading(title or document["source"]), fields(about)]
        parts += [prose(passage["text"]) for passage in passages]
        parts.append(table("Facts", ("subject", "relation", "object", "sentence"), rows))
    return block(*parts) if parts else block(paragraph("Nothing is stored of it any more.", "quiet"))
