"""A waiting lesson and its changes, the drawing of a run's steps, and the plot of its figures."""

from typing import Any

import pytest

pytest.importorskip("gradio", reason="the extra `console` is not installed")

from api.cli.client import Refused
from api.console.bars import before_and_after
from api.console.lessons import edited, read_lesson
from api.console.steps import steps_drawn, walked

ATTACK = "<img src=x onerror=alert(1)>"


def candidate(question: str, answer: str) -> dict[str, Any]:
    return {"question": question, "answer": answer, "quote": f"It says {answer}.", "form": "what"}


DRAFT = {"candidates": [candidate("a?", "one"), candidate("b?", "one"), candidate("c?", "two")], "failed": {}}


class Threads:
    """A service whose thread has these states, or that refuses to show it."""

    def __init__(self, states: list[dict[str, Any]], refusal: int | None = None) -> None:
        self._states, self._refusal = states, refusal

    def post(self, path: str, body: dict[str, Any]) -> Any:
        if self._refusal is not None:
            raise Refused(self._refusal, "no")
        return self._states


def waiting(id: str, *pairs: tuple[str, str]) -> dict[str, Any]:
    taught = [{"question": question, "answer": answer} for question, answer in pairs]
    return {"checkpoint_id": id, "next": ["approve"], "values": {"curriculum": {"pairs": taught}}}


def drafted(id: str) -> dict[str, Any]:
    return {"checkpoint_id": id, "next": ["verify"], "values": {"draft": DRAFT}}


def test_a_lesson_is_the_latest_draft_with_what_changed_since_it_was_asked_about() -> None:
    states = [
        waiting("4", ("a?", "one"), ("d?", "two")),
        drafted("3"),
        waiting("2", ("a?", "one"), ("c?", "two")),
        drafted("1"),
    ]
    lesson = read_lesson(Threads(states), "r")  # type: ignore[arg-type]
    assert lesson is not None
    assert lesson.checkpoint_id == "3"
    assert lesson.changes == (("left out", "c?", "two"), ("new", "d?", "two"))
    assert list(lesson.facts.values()) == [2, 1]


@pytest.mark.parametrize("status", [403, 404])
def test_whoever_may_not_read_the_thread_is_shown_no_lesson(status: int) -> None:
    assert read_lesson(Threads([], refusal=status), "r") is None  # type: ignore[arg-type]


def test_a_draft_loses_whole_facts_and_single_questions_and_takes_other_words() -> None:
    left = edited(DRAFT, [1], {0: ("A?", "one"), 1: ("", "")})
    assert [each["question"] for each in left["candidates"]] == ["A?"]
    assert left["candidates"][0]["quote"] == "It says one."
    assert len(DRAFT["candidates"]) == 3


def event(step: str) -> dict[str, Any]:
    return {"step": step, "message": "", "at": "", "figures": {}}


def test_the_way_of_a_run_is_told_by_its_events() -> None:
    steps = ("explore", "critique", "explore", "explore", "critique", "hand over", "lesson", "hand over")
    assert walked([event(step) for step in steps]) == [
        "explore", "critique", "refine", "explore", "critique", "hand_over", "next_lesson", "hand_over"
    ]  # fmt: skip


def test_a_drawing_ticks_what_is_done_and_marks_what_is_next() -> None:
    ids = ("__start__", "attempt", "detect", ATTACK)
    graph = {
        "nodes": [{"id": id} for id in ids],
        "edges": [{"source": "attempt", "target": "detect"}, {"source": "attempt", "target": ATTACK}],
    }
    svg = steps_drawn(graph, [event("attempt")], ["detect"])
    assert ">✓ attempt</text>" in svg
    assert ">● detect</text>" in svg
    assert svg.count("way taken") == 1
    assert "Done: attempt. At: detect" in svg
    assert "<img" not in svg


def test_a_plot_says_its_figures_in_words_too() -> None:
    svg = before_and_after([(ATTACK, 0.125, 1.0)])
    assert "12.5% before, 100.0% after" in svg
    assert "<img" not in svg
    assert before_and_after([]) == ""
