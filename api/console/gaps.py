"""The page of gaps: questions that the service could not answer, ranked; learn, merge or dismiss one."""

from collections.abc import Callable, Mapping
from typing import Any

import gradio as gr

from api.console.markup import block, moment, paragraph, table
from api.console.service import PRIVATE, Json, Service, failure, segment

STATUSES = ("open", "learning", "closed", "dismissed")
RANKINGS: Mapping[str, Callable[[Json], Any]] = {
    "asked most often": lambda gap: -gap["demand"]["asked"],
    "asked by most users": lambda gap: -gap["demand"]["users"],
    "least sure": lambda gap: _chance(gap),
    "corrected most": lambda gap: -len(gap["corrections"]),
}


def build(service: Service, key: gr.State) -> None:
    """Adds the page as a tab."""
    with gr.Tab("Gaps", id="gaps", visible=False) as tab:
        with gr.Row():
            status = gr.Radio(STATUSES, value="open", label="Gaps that are")
            ranking = gr.Radio(list(RANKINGS), value=next(iter(RANKINGS)), label="First those")
        listed = gr.HTML(elem_id="gaps")
        chosen = gr.Dropdown(label="Gap", choices=[], value=None)
        with gr.Row():
            learn = gr.Button("Learn it", variant="primary")
            dismiss = gr.Button("Dismiss")
            refresh = gr.Button("Refresh")
        with gr.Row():
            into = gr.Dropdown(
                label="Merge it into",
                choices=[],
                value=None,
                info="the gap that stays, and then covers both questions",
            )
            merge = gr.Button("Merge")
        said = gr.HTML()
    service.require("learn", tab)

    def show(secret: str, which: str, first: str) -> tuple[Any, Any, str]:
        with service.client(secret) as client:
            gaps = ranked(client.get("/v1/gaps", status=which, limit=1000), first)
        choices = [(f"{gap['question']} ({gap['id']})", gap["id"]) for gap in gaps]
        rows = [
            (
                gap["question"],
                gap["domain"],
                gap["demand"]["asked"],
                gap["demand"]["users"],
                _confidence(gap),
                "; ".join(each["text"] for each in gap["corrections"]),
                moment(gap["opened_at"]),
                gap["id"],
            )
            for gap in gaps
        ]
        columns = (
            "question", "domain", "asked", "users", "likely right", "corrections by users", "opened", "gap"
        )  # fmt: skip
        chosen_again = gr.update(choices=choices, value=None)
        return chosen_again, chosen_again, block(table("Gaps", columns, rows))

    def begin(secret: str, gap: str | None) -> str:
        segment(gap or "")
        with service.client(secret) as client:
            run = client.post("/v1/learn", {"gap_id": gap})["run_id"]
        return block(paragraph(f"Run {run} was started: follow it under Learn runs.", "good"))

    def drop(secret: str, gap: str | None) -> str:
        with service.client(secret) as client:
            client.post(f"/v1/gaps/{segment(gap or '')}/dismiss")
        return block(paragraph(f"Gap {gap} is dismissed.", "good"))

    def join(secret: str, gap: str | None, other: str | None) -> str:
        path = f"/v1/gaps/{segment(gap or '')}/merge"
        if other is None:
            raise failure('choose the gap that stays under "Merge it into"')
        with service.client(secret) as client:
            stays = client.post(path, {"into": other})
        return block(paragraph(f"Gap {gap} is merged into {other}: {stays['question']}", "good"))

    asked, shown = [key, status, ranking], [chosen, into, listed]
    again: dict[str, Any] = {"fn": show, "inputs": asked, "outputs": shown, **PRIVATE}
    gr.on([tab.select, refresh.click, status.input, ranking.input], **again)
    merge.click(join, [key, chosen, into], said, **PRIVATE).success(**again)
    learn.click(begin, [key, chosen], said, **PRIVATE).success(**again)
    dismiss.click(drop, [key, chosen], said, **PRIVATE).success(**again)


def ranked(gaps: list[Json], first: str) -> list[Json]:
    """The gaps by that ranking, then by the others, then the oldest first."""
    keys = [RANKINGS[first], *(key for name, key in RANKINGS.items() if name != first)]
    return sorted(gaps, key=lambda gap: (*(key(gap) for key in keys), gap["opened_at"]))


def _chance(gap: Json) -> float:
    seen = gap["uncertainty"]
    return float(seen["confidence"]) if seen and seen["confidence"] is not None else 0.0


def _confidence(gap: Json) -> str:
    seen = gap["uncertainty"]
    return f"{seen['confidence']:.0%}" if seen and seen["confidence"] is not None else "not known"
