"""Facts on the page of memory: those about a name drawn, conflicts and their decision, stale ones."""

import json
from datetime import UTC, datetime

import gradio as gr

from api.cli.display import age
from api.console.markup import block, paragraph, table
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
            naming = gr.Button("Show names of one thing")
        conflicts, stale = gr.HTML(elem_id="conflicts"), gr.HTML(elem_id="stale")
        names = gr.HTML(elem_id="names")
        with gr.Column(visible=False) as decision:
            wrong = gr.Dropdown([], value=None, label="The sentence that is wrong")
            reason = gr.Textbox(label="Why", value="", max_lines=2)
            decide = gr.Button("Withdraw this sentence", variant="stop")
        said = gr.HTML(elem_id="withdrawn")
    service.require("learn", part)

    def draw(secret: str, about: str, where: str) -> str:
        about = " ".join((about or "").split())
        if not about:
            raise failure("write a name first")
        with service.client(secret) as client:
            found = client.get("/v1/memory/facts", about=about, domain=_domain(where), limit=ABOUT)
        return neighbourhood(about, found)

    def list_conflicts(secret: str, where: str) -> tuple[str, Json, Json]:
        with service.client(secret) as client:
            found = client.get("/v1/memory/conflicts", domain=_domain(where))
        choices = wrong_ones(found)
        return contradicting(found), gr.update(choices=choices, value=None), gr.update(visible=bool(choices))

    def withdraw(secret: str, sentence: str | None, why: str, where: str) -> tuple[str, str, Json, Json]:
        if not sentence:
            raise failure("choose the sentence that is wrong")
        with service.client(secret) as client:
            body = json.loads(sentence) | {"reason": (why or "").strip()}
            done = client.post("/v1/memory/withdrawn", body)
        return withdrawn(done), *list_conflicts(secret, where)

    def list_stale(secret: str, where: str) -> str:
        with service.client(secret) as client:
            return to_look_up(client.get("/v1/memory/stale", domain=_domain(where)))

    def list_names(secret: str, where: str) -> str:
        with service.client(secret) as client:
            return names_of_one(client.get("/v1/memory/names", domain=_domain(where)))

    gr.on([look.click, name.submit], draw, [key, name, domain], drawn, **PRIVATE)
    listed = [conflicts, wrong, decision]
    contradictions.click(list_conflicts, [key, domain], listed, **PRIVATE)
    decide.click(withdraw, [key, wrong, reason, domain], [said, *listed], **PRIVATE)
    old.click(list_stale, [key, domain], stale, **PRIVATE)
    naming.click(list_names, [key, domain], names, **PRIVATE)


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
    words = (
        f"{reply['total']} in all, {reply['views']} of them views of declared perspectives; of the others,"
        " correct the document that is wrong, or withdraw its sentence below."
    )
    words += _incomplete(reply)
    columns = ("about", "current", "other", "why")
    return block(table("Contradicting facts", columns, rows), paragraph(words, "quiet"))


def _incomplete(reply: Json) -> str:
    return "" if reply["complete"] else " Not all facts were compared, there are too many: choose a domain."


def wrong_ones(reply: Json) -> list[tuple[str, str]]:
    """The sentences of conflicts to choose from, each with what names it to the api."""
    facts = [fact for each in reply["conflicts"] for fact in (each["other"], each["current"])]
    named = {
        json.dumps({name: fact[name] for name in ("source", "domain", "sentence")}): fact for fact in facts
    }
    return [(f"{fact['sentence']} [{fact['source']}]", value) for value, fact in named.items()]


def withdrawn(done: Json) -> str:
    """What was withdrawn, and which adapters were taught it."""
    each = done["withdrawn"]
    words = f"\u201c{each['sentence']}\u201d is withdrawn from {each['source']}, with {done['facts']} facts."
    taught = [
        paragraph(f"{lesson['adapter']} was taught it: {lesson['command']}", "quiet")
        for lesson in done["taught"]
    ]
    return block(paragraph(words), *taught)


def to_look_up(reply: Json) -> str:
    """Facts that have ended, or are of long ago."""
    now = datetime.now(UTC)
    rows = [(each["subject"], each["sentence"], each["source"], age(each, now)) for each in reply["facts"]]
    words = f"{reply['total']} in all; ingest a newer document under the same name to replace one."
    words += _incomplete(reply)
    columns = ("about", "sentence", "source", "as of")
    return block(table("Stale facts", columns, rows), paragraph(words, "quiet"))


def names_of_one(reply: Json) -> str:
    """Names that count as one thing with the sentences that say so, and those that are spelled alike."""
    same = [
        (
            " = ".join(each["names"]),
            " ".join(dict.fromkeys(f"{fact['sentence']} [{fact['source']}]" for fact in each["because"])),
        )
        for each in reply["same"]
    ]
    alike = [(each["first"], each["second"], f"{each['similarity']:.2f}") for each in reply["alike"]]
    words = (
        "To decide, ingest a triple: \u201cA,is the same as,B\u201d or \u201cA,is not the same as,B\u201d."
    )
    words += _incomplete(reply)
    return block(
        table("Names of one thing", ("names", "because"), same),
        table("Spelled alike, and may be one", ("name", "name", "likeness"), alike),
        paragraph(words, "quiet"),
    )


def _domain(where: str) -> str | None:
    return (where or "").strip() or None
