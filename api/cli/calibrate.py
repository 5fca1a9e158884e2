"""`nightschool calibrate`: refits a domain's gate on labelled questions of your own."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.shell import BAD_INPUT, FAILED, AsJson, console, print_json, service, stop

if TYPE_CHECKING:
    from agent.chat.domain_calibration import LabelledQuestion

PATIENCE_SECONDS = 3600.0
"""A thousand answers take a small model some minutes on two cores, and a large one longer."""


def calibrate(
    domain: Annotated[str, typer.Option(help="Domain of a live adapter, or of the base model: general.")],
    questions: Annotated[
        Path,
        typer.Option(
            help='JSON lines: {"question": ..., "answers": [...]}; [] for a question without an answer.'
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Refit a domain's gate on your own labelled questions (at least 100; minutes).

    The running service asks them, and uses the new threshold from then on, without a restart. With too few
    labels the threshold stays as it was, and the exit code is 1.
    """
    labelled = _read(questions)
    body = {"domain": domain, "questions": [question.model_dump(mode="json") for question in labelled]}
    with service() as client:
        result = client.post("/v1/calibrations", body, seconds=PATIENCE_SECONDS)
    if as_json:
        print_json([result])
    else:
        _print(result)
    if not result["refitted"]:
        stop(f"{'; '.join(result['reasons'])}: the threshold was not changed", FAILED)


def _read(path: Path) -> "list[LabelledQuestion]":
    from pydantic import ValidationError

    from agent.chat.domain_calibration import LabelledQuestion

    try:
        lines = path.read_text(encoding="utf-8").split("\n")  # JSON may hold other line separators
    except (OSError, UnicodeDecodeError) as error:
        stop(f"{path} cannot be read: {error}", BAD_INPUT)
    questions = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            questions.append(LabelledQuestion.model_validate_json(line))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = ".".join(map(str, first["loc"]))
            reason = f"{place}: {first['msg']}" if place else first["msg"]
            stop(f"{path}, line {number}: {reason}", BAD_INPUT)
    if not questions:
        stop(f"{path} holds no questions", BAD_INPUT)
    return questions


def _print(result: dict[str, Any]) -> None:
    right = f", {result['right'] / result['labels']:.0%}" if result["labels"] else ""
    lines = {
        "answered by": result["adapter"] or "the base model",
        "labels": f"{result['labels']} of {result['asked']} answers ({result['declined']} declined)",
        "right": f"{result['right']}{right}",
        "AUROC": _figure(result["auroc"]),
        "ECE": _figure(result["error"]),
        "threshold": _figure(result["threshold"]),
        "promise": _promise(result),
        "confident": f"{result['confident']:.0%} of the answers",
    }
    if not result["refitted"]:
        lines["threshold"] = "as it was"
    for label, text in lines.items():
        console().print(f"{label:<12} {text}", markup=False, soft_wrap=True)


def _promise(result: dict[str, Any]) -> str:
    if result["risk"] is not None:
        return (
            f"at most {result['risk']:.0%} of the confident answers to questions like these are wrong,"
            f" but for a chance of {result['delta']:.0%}"
        )
    if not result["refitted"]:
        return "none"
    return f"none, so no answer counts as confident: {'; '.join(result['reasons'])}"


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
