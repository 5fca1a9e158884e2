"""The page of memory: search with reasons, documents with what is stored of them, contradicting facts."""

from collections.abc import Sequence
from typing import Any

import gradio as gr

from api.console.markup import block, fields, heading, paragraph, prose, table
from api.console.service import PRIVATE, Json, Service, failure

QUOTE = 200
"""Characters of a passage that are shown in a list."""


def build(service: Service, key: gr.State) -> None:
    """Adds the page as a tab."""
    with gr.Tab("Memory", id="memory"):
        domain = gr.Textbox(label="Domain", value="", max_lines=1, info="empty: all that you may read")
        query = gr.Textbox(label="Search for", value="", max_lines=2)
        search = gr.Button("Search", variant="primary")
        hits = gr.HTML(elem_id="hits")
        contradictions = gr.Button("Show contradicting facts")
        conflicts = gr.HTML(elem_id="conflicts")
        with gr.Column(visible=False) as documents:
            chosen = gr.Dropdown(label="Document", choices=[], value=None)
            refresh = gr.Button("Refresh the documents")
            contents = gr.HTML(elem_id="contents")
    service.require("learn", contradictions, documents)

    def find(secret: str, words: str, where: str) -> str:
        if not (words or "").strip():
            raise failure("say what to search for first")
        request = {"query": words.strip(), "domain": (where or "").strip() or None}
        with service.client(secret) as client:
            return found(client.post("/v1/search", request)["hits"])

    def list_conflicts(secret: str, where: str) -> str:
        with service.client(secret) as client:
            return contradicting(client.get("/v1/memory/conflicts", domain=(where or "").strip() or None))

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

    gr.on([search.click, query.submit], find, [key, query, domain], hits, **PRIVATE)
    contradictions.click(list_conflicts, [key, domain], conflicts, **PRIVATE)
    refresh.click(list_documents, [key, domain], chosen, **PRIVATE)
    chosen.input(open_document, [key, chosen], contents, **PRIVATE)


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
