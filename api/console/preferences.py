"""The page of preferences: build a set of pairs, look at it, train it, and save or import pairs as a file."""

import json
from typing import Any

import gradio as gr

from api.console import pairs_import
from api.console.markup import block, fields, items, moment, paragraph, side_by_side, status, table
from api.console.report import gates
from api.console.service import PRIVATE, Json, Service, segment
from api.console.transfer import saved_as

ALGORITHMS = ("dpo", "kto", "sft", "grpo")
FORMATS = {"dpo": "preferences.jsonl", "sharegpt": "preferences.json", "argilla": "items.json"}
LEAST = 500
SHOWN = 20
"""Pairs that are shown of a set."""
SAVE = f"""async (problem, format) => [
    await nightschool.save("/v1/annotation/export", {{format}}, {json.dumps(FORMATS)}[format]), format
]"""


def build(service: Service, key: gr.State) -> None:
    """Adds the page as a tab."""
    with gr.Tab("Preferences", id="preferences", visible=False) as tab:
        with gr.Row():
            domain = gr.Textbox(label="Feedback of this domain", value="general", max_lines=1)
            algorithm = gr.Dropdown(ALGORITHMS, value=ALGORITHMS[0], label="To be trained by")
            least = gr.Number(label="Fewest pairs", value=LEAST, minimum=2, precision=0)
        make = gr.Button("Build a set from the feedback", variant="primary")
        said, listed = gr.HTML(elem_id="built"), gr.HTML(elem_id="sets")
        chosen = gr.Dropdown(label="Preference set", choices=[], value=None)
        with gr.Row():
            train = gr.Button("Train it")
            refresh = gr.Button("Refresh")
        training, pairs = gr.HTML(elem_id="training"), gr.HTML(elem_id="pairs")
        with gr.Row():
            format = gr.Radio(list(FORMATS), value="dpo", label="Judged pairs as a file")
            save = gr.Button("Save the file")
        problem, saved = gr.Textbox(visible="hidden", label="What went wrong"), gr.HTML()
        pairs_import.build(list(FORMATS))
    service.require("admin", tab)

    def show(secret: str, current: str | None) -> tuple[Any, str]:
        with service.client(secret) as client:
            sets = client.entries("/v1/preferences", "digest")
        choices = [
            (f"{each['domain']}, {each['algorithm']}: {each['digest'][:8]}", each["digest"]) for each in sets
        ]
        known = current if any(each["digest"] == current for each in sets) else None
        return gr.update(choices=choices, value=known), listing(sets)

    def show_one(secret: str, digest: str | None) -> tuple[str, str]:
        if digest is None:
            return "", ""
        with service.client(secret) as client:
            path = f"/v1/preferences/{segment(digest)}"
            sets = client.entries("/v1/preferences", "digest")
            submitted = any(each["training"] for each in sets if each["digest"] == digest)
            return trained(client.get(f"{path}/training")) if submitted else "", some(client.get(path))

    def build_set(secret: str, where: str, how: str, fewest: float | None) -> tuple[Any, ...]:
        body = {"domain": (where or "").strip(), "algorithm": how, "minimum": int(fewest or 0)}
        with service.client(secret) as client:
            made = client.post("/v1/preferences", body)
        return built(made), *show(secret, made["digest"]), *show_one(secret, made["digest"])

    def submit(secret: str, digest: str | None) -> tuple[Any, ...]:
        with service.client(secret) as client:
            client.post(f"/v1/preferences/{segment(digest or '')}/train")
        words = block(status("It waits for the training worker. Refresh shows how far it is."))
        return words, *show(secret, digest), *show_one(secret, digest)

    def after_saving(went_wrong: str, kind: str) -> str:
        return saved_as(FORMATS[kind], went_wrong)

    shown = [chosen, listed]
    gr.on([tab.select, refresh.click], show, [key, chosen], shown, **PRIVATE)
    gr.on([refresh.click, chosen.input], show_one, [key, chosen], [training, pairs], **PRIVATE)
    every = [said, *shown, training, pairs]
    make.click(build_set, [key, domain, algorithm, least], every, **PRIVATE)
    train.click(submit, [key, chosen], every, **PRIVATE)
    save.click(after_saving, [problem, format], saved, js=SAVE, **PRIVATE)


def built(made: Json) -> str:
    """What a new set holds, and what gave no pair."""
    dropped = [f"{count} gave no pair: {why}" for why, count in made["dropped"].items()]
    words = f"{made['pairs']} pairs to train and {made['held_out']} to measure with."
    return block(paragraph(words, "good"), items(dropped))


def listing(sets: list[Json]) -> str:
    """All sets, newest first."""
    rows = [
        (
            each["digest"][:8],
            each["domain"],
            each["algorithm"],
            f"{each['pairs']} + {each['held_out']}",
            ", ".join(f"{count} {origin}" for origin, count in each["by_origin"].items()),
            moment(each["until"]) if each["until"] else "",
            each["training"] or "not trained",
        )
        for each in sets
    ]
    columns = ("set", "domain", "by", "pairs + held out", "from", "until", "training")
    return block(table("Preference sets", columns, rows))


def trained(training: Json) -> str:
    """How far the training is, or how it ended."""
    result, progress = training["result"], training["progress"]
    if result is None:
        count = f" {progress['done']} of {progress['total']}" if progress["total"] else ""
        return block(paragraph(f"{progress['phase']}{count} {progress['message']}".strip(), "quiet"))
    adapter = fields({"adapter": result["adapter"]})
    passed = result["status"] == "candidate"
    words = f"{result['adapter']} passed its gates: try it under Experiments." if passed else result["reason"]
    verdict = gates(training["verdict"]) if training["verdict"] else ""
    return block(paragraph(words, "good" if passed else "bad"), adapter, verdict)


def some(whole: Json) -> str:
    """The first pairs of a set."""
    shown = [
        paragraph(f"{pair['messages'][-1]['content']} ({pair['origin']})")
        + side_by_side({"Preferred": pair["chosen"] or "", "Rejected": pair["rejected"] or ""})
        for pair in whole["pairs"][:SHOWN]
    ]
    words = f"{len(shown)} of {len(whole['pairs'])} pairs."
    return block(paragraph(words, "quiet"), *shown)
