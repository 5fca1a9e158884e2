"""What nights leave to people, on the page of nights: revised answers and golden pairs to decide on."""

from collections.abc import Iterable, Sequence
from typing import Any

import gradio as gr

from api.console.markup import block, fields, heading, marked, paragraph, prose, side_by_side, status, table
from api.console.service import PRIVATE, Json, Service, failure, segment

REVISION, GOLDEN = "revisions", "golden"
"""Kinds of what waits, as the api's paths name them."""
KINDS = {REVISION: "revised answer", GOLDEN: "golden pair"}
LIMIT = 1000


def build(service: Service, key: gr.State) -> None:
    """Adds the part to the page."""
    gr.HTML(block(heading("Decisions")))
    show = gr.Button("Show what waits for a decision")
    listed = gr.HTML(elem_id="decisions")
    chosen = gr.Dropdown(label="Answer to decide on", choices=[], value=None)
    details = gr.HTML(elem_id="decision")
    with gr.Row():
        approve = gr.Button("Approve this answer", variant="primary", visible=False)
        decline = gr.Button("Decline this answer")
    said = gr.HTML(elem_id="decided")
    service.require("approve", approve)

    def read(secret: str) -> list[tuple[str, Json]]:
        with service.client(secret) as client:
            revisions = client.get("/v1/revisions", status="needs_person", limit=LIMIT)
            golden = client.get("/v1/golden", queue="true", limit=LIMIT)
        return [*((REVISION, each) for each in revisions), *((GOLDEN, each) for each in golden)]

    def show_all(secret: str) -> tuple[Any, str, str]:
        queue = read(secret)
        choices = [
            (f"{each['question']} ({KINDS[kind]} {each['id']})", f"{kind}/{each['id']}")
            for kind, each in queue
        ]
        return gr.update(choices=choices, value=None), waiting(queue), ""

    def show_one(secret: str, which: str | None) -> str:
        found = [each for kind, each in read(secret) if f"{kind}/{each['id']}" == which]
        if not found:
            return block(paragraph("Somebody has decided on it meanwhile.", "quiet")) if which else ""
        return to_decide(found[0])

    def decide(secret: str, which: str | None, *, approves: bool) -> tuple[Any, ...]:
        if which is None:
            raise failure("choose an answer first")
        kind, _, id = which.partition("/")
        if which not in [f"{name}/{each['id']}" for name, each in read(secret)]:
            raise failure("somebody has decided on it meanwhile: show what waits again")
        with service.client(secret) as client:
            decided = client.post(f"/v1/{segment(kind)}/{segment(id)}", {"approve": approves})
        words = "is approved: chat and lessons use its answer" if approves else "is declined"
        return block(status(f"\u201c{decided['question']}\u201d {words}.")), *show_all(secret)

    outputs = [chosen, listed, details]
    show.click(show_all, [key], outputs, **PRIVATE)
    chosen.input(show_one, [key, chosen], details, **PRIVATE)
    both = {"inputs": [key, chosen], "outputs": [said, *outputs], **PRIVATE}
    approve.click(lambda secret, which: decide(secret, which, approves=True), **both)
    decline.click(lambda secret, which: decide(secret, which, approves=False), **both)


def waiting(queue: Sequence[tuple[str, Json]]) -> str:
    """All that waits: revised answers first, the newest first among each."""
    rows = [
        (KINDS[kind], each["domain"], each["question"], each["answer"], state(kind, each))
        for kind, each in queue
    ]
    return block(
        table("Waiting for a decision", ("kind", "domain", "question", "answer", "until then"), rows)
    )


def state(kind: str, each: Json) -> str:
    """What happens to the answer until somebody decides."""
    return "taught" if kind == GOLDEN and each["status"] == "approved" else "not used"


def to_decide(answer: Json) -> str:
    """One answer with all that a person needs to decide on it: what it replaces, why, and its sources."""
    parts = [heading(answer["question"])]
    if "before" in answer:
        parts.append(side_by_side({"Before": answer["before"], "Revised": answer["answer"]}))
        parts.append(fields({"what was wrong": answer["critique"], "strategy": answer["strategy"]}))
        score = f"{answer['score_before']:.1f} before, {answer['score_after']:.1f} after"
        uncited = "It cites no source, so it cannot be approved."
    else:
        parts.append(prose(answer["answer"]))
        score, uncited = f"{answer['score']:.1f}", "It cites no source."
    parts.append(fields({"score": f"{score} (of 10)", "night": answer["night_id"]}))
    return block(*parts, sources(answer["citations"]) or paragraph(uncited, "doubt"))


def sources(citations: Iterable[Json]) -> str:
    """The sentences that support the answer."""
    return "".join(
        marked(each["quote"], 0, len(each["quote"])) + fields({"source": each["title"] or each["source"]})
        for each in citations
    )
