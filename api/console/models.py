"""The page of base models: their cards with figures and reliability; add, study, select and remove them."""

from collections.abc import Mapping
from typing import Any

import gradio as gr

from api.console.markup import Tone, block, fields, figures_beside, heading, items, moment, paragraph, table
from api.console.plots import Bin, reliability
from api.console.service import PRIVATE, Json, Service, failure, segment

PATH = "/v1/base-models"
SERVED = "the served model"
REFRESH_SECONDS = 2.0
"""Between two looks at what is being added or studied."""
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
        with gr.Row():
            study = gr.Button("Study the model")
            use = gr.Button("Serve it from the next start on")
            remove = gr.Button("Remove the model")
            refresh = gr.Button("Refresh")
        with gr.Row():
            what = gr.Dropdown(
                label="Model to add",
                choices=[],
                value=None,
                allow_custom_value=True,
                info="of the catalogue, or a Hugging Face id",
            )
            add = gr.Button("Add the model", variant="primary")
        task = gr.HTML(elem_id="model-task")
        stop = gr.Button("Stop it", visible=False)
        timer = gr.Timer(REFRESH_SECONDS, active=False)
        details = gr.HTML(elem_id="card")
    service.require("admin", tab)

    def show(secret: str, which: str | None) -> tuple[Any, ...]:
        with service.client(secret) as client:
            return shown(client.get(PATH), which)

    def shown(models: Json, which: str | None) -> tuple[Any, ...]:
        added = {each["name"]: each for each in models["added"]}
        name = which if which is not None and which in added else SERVED
        served = {"name": models["served"]["name"], "card": models["served"], "origin": None, "problem": None}
        choices = gr.update(choices=[SERVED, *added], value=name)
        to_add = gr.update(choices=[each["name"] for each in models["catalogue"]])
        return choices, model(added.get(name, served)), to_add, *state(models)

    def state(models: Json) -> tuple[Any, ...]:
        running = bool(models["task"]) and models["task"]["status"] == "running"
        shown_while = gr.update(visible=running), gr.update(active=running)
        return listing(models), progress(models["task"]), *shown_while

    def look(secret: str) -> tuple[Any, ...]:
        """What changes by itself; what is chosen stays."""
        with service.client(secret) as client:
            models = client.get(PATH)
        names = [SERVED, *(each["name"] for each in models["added"])]
        return gr.update(choices=names), *state(models)

    def start_adding(secret: str, named: str | None, which: str | None) -> tuple[Any, ...]:
        if not (named or "").strip():
            raise failure("choose a model to add, or enter a Hugging Face id")
        with service.client(secret) as client:
            client.post(PATH, {"model": str(named).strip()})
            return shown(client.get(PATH), which)

    def start_studying(secret: str, which: str | None) -> tuple[Any, ...]:
        with service.client(secret) as client:
            client.post(f"{PATH}/{one(which)}/study")
            return shown(client.get(PATH), which)

    def use_next(secret: str, which: str | None) -> tuple[Any, ...]:
        with service.client(secret) as client:
            return shown(client.post(f"{PATH}/{one(which)}/use"), which)

    def take_away(secret: str, which: str | None) -> tuple[Any, ...]:
        with service.client(secret) as client:
            return shown(client.delete(f"{PATH}/{one(which)}"), None)

    def end_task(secret: str, which: str | None) -> tuple[Any, ...]:
        with service.client(secret) as client:
            client.delete(f"{PATH}/task")
            return shown(client.get(PATH), which)

    changing = [listed, task, stop, timer]
    outputs = [chosen, details, what, *changing]
    gr.on([tab.select, refresh.click, chosen.input], show, [key, chosen], outputs, **PRIVATE)
    timer.tick(look, key, [chosen, *changing], **PRIVATE)
    add.click(start_adding, [key, what, chosen], outputs, **PRIVATE)
    for button, action in ((study, start_studying), (use, use_next), (remove, take_away), (stop, end_task)):
        button.click(action, [key, chosen], outputs, **PRIVATE)


def one(which: str | None) -> str:
    """The chosen model as a segment of a path. Raises gr.Error for the served one, which has no name here."""
    if which in (None, SERVED):
        raise failure("choose one of the added models by its name first")
    return segment(str(which))


def progress(task: Json | None) -> str:
    """What is being added or studied, or was last."""
    if task is None:
        return ""
    doing = {"add": "Adding", "study": "Studying"}[task["action"]]
    far = f" {task['done'] / task['total']:.0%}" if task["total"] else ""
    if task["status"] == "running":
        return block(paragraph(f"{doing} {task['model']}: {task['step'] or 'starting'}{far}", "doubt"))
    tone: Tone = "good" if task["status"] == "done" else "bad"
    when = f", {moment(task['ended_at'])}" if task["ended_at"] else ""
    words = f"{doing} {task['model']}{when}: {task['status']}. {task['step']}"
    return block(paragraph(words, tone))


def listing(models: Json) -> str:
    """The added models with their verdicts."""
    served = models["served"]
    rows = [
        (
            each["name"],
            _role(each, served["digest"], models["next"]),
            each["card"]["verdict"] if each["card"] else each["problem"],
            (each["origin"] or {}).get("licence"),
            (each["origin"] or {}).get("title"),
        )
        for each in models["added"]
    ]
    words = "Adding takes minutes; a study about ten for a small model, in which chat is slower."
    columns = ("model", "", "verdict", "licence", "title")
    return block(table("Added models", columns, rows), paragraph(words, "quiet"))


def _role(added: Json, served: str, upcoming: str) -> str:
    roles = {
        "served": bool(added["card"]) and added["card"]["digest"] == served,
        "from the next start": added["name"] == upcoming,
    }
    return ", ".join(role for role, is_so in roles.items() if is_so)


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
        "explores by itself": _exploration(card["exploration"]),
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


def _exploration(score: Json | None) -> str | None:
    """Whether learn runs may let the model decide what is looked up; None if its study did not ask."""
    if score is None:
        return None
    may = "if a learn run asks for it" if score["may_drive"] else "not"
    return f"{may}: the right tool in {score['right_tool']:.0%} of {score['cases']} cases"


def _nats(entropy: float | None) -> str:
    return "" if entropy is None else f"{entropy:.2f} nats"
