"""The page of base models: the served one's card, its study's figures and reliability, and the added ones."""

from collections.abc import Mapping
from typing import Any

import gradio as gr

from api.console.markup import Tone, block, fields, figures_beside, heading, items, paragraph, table
from api.console.plots import Bin, reliability
from api.console.service import PRIVATE, Json, Service

SERVED = "the served model"
TONES: Mapping[str, Tone] = {"go": "good", "retrieval only": "doubt", "no-go": "bad"}
MEANS = {
    "go": "it can be taught",
    "retrieval only": "it answers from sources, and cannot be taught",
    "no-go": "it is not served",
}


def build(service: Service, key: gr.State) -> None:
    """Adds the page as a tab."""
    with gr.Tab("Models", id="models", visible=False) as tab:
        listed = gr.HTML(elem_id="models")
        chosen = gr.Dropdown(label="Model", choices=[SERVED], value=SERVED)
        refresh = gr.Button("Refresh")
        details = gr.HTML(elem_id="card")
    service.require("admin", tab)

    def show(secret: str, which: str | None) -> tuple[Any, str, str]:
        with service.client(secret) as client:
            models = client.get("/v1/base-models")
        added = {each["name"]: each for each in models["added"]}
        name = which if which is not None and which in added else SERVED
        served = {"name": models["served"]["name"], "card": models["served"], "origin": None, "problem": None}
        choices = gr.update(choices=[SERVED, *added], value=name)
        return choices, listing(models), model(added.get(name, served))

    gr.on(
        [tab.select, refresh.click, chosen.input],
        show,
        [key, chosen],
        [chosen, listed, details],
        **PRIVATE,
    )


def listing(models: Json) -> str:
    """The added models with their verdicts."""
    served = models["served"]
    rows = [
        (
            each["name"],
            "served" if each["card"] and each["card"]["digest"] == served["digest"] else "",
            each["card"]["verdict"] if each["card"] else each["problem"],
            (each["origin"] or {}).get("licence"),
            (each["origin"] or {}).get("title"),
        )
        for each in models["added"]
    ]
    words = "nightschool models add adds one, study makes its card, use selects it for the next start."
    columns = ("model", "", "verdict", "licence", "title")
    return block(table("Added models", columns, rows), paragraph(words, "quiet"))


def model(found: Json) -> str:
    """One model: where it came from, and its card as far as it has one."""
    origin, card = found["origin"] or {}, found["card"]
    parts = [heading(found["name"])]
    if found["problem"]:
        parts.append(paragraph(found["problem"], "bad"))
    if origin.get("terms"):
        parts.append(paragraph(origin["terms"], "quiet"))
    if card is None:
        return block(*parts, fields({name: origin.get(name) for name in ("title", "source", "licence")}))
    verdict = card["verdict"]
    return block(
        *parts,
        paragraph(f"{verdict}: {MEANS[verdict]}", TONES[verdict]),
        items(card["reasons"]),
        *_card(card),
        *calibration(card["gate"]),
    )


def _card(card: Json) -> list[str]:
    speed, judging = card["speed"], card["judging"]
    about = {
        "source": card["source"],
        "licence": card["licence"],
        "digest": card["digest"],
        "size": f"{card['parameters'] / 1e6:.0f} M parameters, {card['vocabulary']} tokens, {card['dtype']}",
        "context": f"{card['context']} tokens, of which an answer has {card['answer_tokens']} by default",
        "speed": f"{speed['tokens_per_second']:.0f} tokens/s with one request, "
        f"{speed['tokens_per_second_batched']:.0f} with 32 ({speed['machine']})",
        "memory": f"{speed['memory_mb']:.0f} MB",
        "learning rate": f"{card['lessons']['learning_rate']:g}",
        "judges answers": None if judging is None else f"{judging:.0%} right without knowing the answer",
        "in its card": f"{card['known']} known questions, {card['unknown']} about invented names, "
        f"{card['replay']} answers of its own to replay",
    }
    rows = [
        (
            domain,
            score["questions"],
            f"{score['right']:.0%}",
            _nats(score["mean_entropy_known"]),
            _nats(score["mean_entropy_unlikely"]),
        )
        for domain, score in card["domains"].items()
    ]
    columns = ("domain", "questions", "right", "entropy on popular ones", "entropy on rare ones")
    return [heading("Card"), fields(about), heading("Study"), table("Questions of the study", columns, rows)]


def calibration(gate: Json) -> list[str]:
    """What a gate promises, its threshold for each form of answers, and a reliability diagram of each."""
    promise = (
        f"Of the confident answers at most {gate['risk']:.0%} are wrong, with probability "
        f"{1 - gate['delta']:.0%}. Fitted on {gate['fitted_on']}."
    )
    rows = [
        (
            form,
            fitted["labels"],
            "none: never confident" if fitted["threshold"] is None else f"{fitted['threshold']:.0%}",
            f"{fitted['coverage']:.0%}",
        )
        for form, fitted in gate["forms"].items()
    ]
    columns = ("answers", "labels", "confident from", "confident share")
    error = None if gate["error"] is None else f"{gate['error']:.3f} (expected calibration error)"
    parts = [
        heading("Gate"),
        paragraph(promise, "quiet"),
        fields({"stated chance is off by": error}),
        table("Thresholds", columns, rows),
    ]
    plots: dict[str, str] = {}
    for form, fitted in gate["forms"].items():
        if bins := [Bin(each["stated"], each["right"], each["count"]) for each in fitted["reliability"]]:
            title = f"Reliability of {form} answers"
            plots[title] = reliability(title, bins)
    return [*parts, figures_beside(plots)]


def _nats(entropy: float | None) -> str:
    return "" if entropy is None else f"{entropy:.2f} nats"
