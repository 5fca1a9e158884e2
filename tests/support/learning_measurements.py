"""Builds measurements of `benchmarks.learning` and a small SQuAD folder; the figures are made up."""

import json
from collections.abc import Sequence
from pathlib import Path

from benchmarks.learning.data import Question
from benchmarks.learning.records import LessonResult, Measurement, QuestionResult, Response
from tests.support.adapters import evaluation


def write_squad(folder: Path) -> Path:
    """300 passages with one question each, in the layout of the shared data; returns the folder."""
    lines = [
        {
            "title": f"The_Lamp_{n}",
            "context": f"Lamp {n} was lit by Mara Ellwood in {1800 + n}.",
            "questions": [{"question": f"Who lit lamp {n}?", "answer": "Mara Ellwood"}],
        }
        for n in range(300)
    ]
    (folder / "squad").mkdir()
    (folder / "squad" / "passages.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def response(text: str, *, confident: bool = True, chance: float | None = 0.5) -> Response:
    return Response(text=text, confident=confident, chance=chance)


def result(
    after: str, *, before: str = "no idea", answers: Sequence[str] = ("Mara Ellwood",), kind: str = "own"
) -> QuestionResult:
    """One question, with the answers of the base model and of the adapter."""
    question = Question.model_validate({"text": "Who lit it?", "answers": answers, "kind": kind})
    return QuestionResult(question=question, responses={"base": response(before), "adapter": response(after)})


def measurement(
    part: str = "squad-10", *, text: str = "squad-10", variant: str = "product", **changes: object
) -> Measurement:
    """A lesson that passed its gates, with one right and one wrong answer."""
    lesson = LessonResult(
        passages=10,
        facts=160,
        lessons=1,
        tokens=1000,
        seconds=300.0,
        bare_seconds=250.0,
        dropped={"the answer is not in the quote": 3},
        adapter="lamps-v1-00000001",
        path="/elsewhere",
        recipe="standard-17",
        before=evaluation(target=0.0),
        after=evaluation(target=0.9, known=0.98),
        passed=True,
    )
    values = {
        "lesson": lesson,
        "results": (result("It was Mara Ellwood."), result("It was Mara.")),
    } | changes
    return Measurement.model_validate(
        {"part": part, "text": text, "variant": variant, "seconds": 400.0, **values}
    )
