"""The lesson that a run asks a person about, read from its thread: all of its questions, and its draft."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from api.cli.client import Client, Refused
from api.console.service import FORBIDDEN, Json

NOT_FOUND = 404
LATEST = 50
"""Checkpoints that are looked at."""
MOST_CHANGES = 100
FIELDS = ["checkpoint_id", "next", "values.draft", "values.curriculum"]


@dataclass(frozen=True)
class Lesson:
    """What is taught, and what that was made from."""

    checkpoint_id: str
    """The checkpoint before the draft was verified, from which another draft can be verified."""
    draft: Json
    """The questions as they were written; all their wordings, also those that verification dropped."""
    pairs: tuple[Json, ...]
    """The questions of the curriculum, or of the first one of several."""
    changes: tuple[tuple[str, str, str], ...]
    """(`new` or `left out`, question, answer) against what the run asked about before."""

    @property
    def facts(self) -> Mapping[tuple[str, str], int]:
        """How many questions of the draft ask for each (answer, sentence)."""
        counts: dict[tuple[str, str], int] = {}
        for each in self.draft["candidates"]:
            fact = (str(each["answer"]), str(each["quote"]))
            counts[fact] = counts.get(fact, 0) + 1
        return counts


def read_lesson(client: Client, run: str) -> Lesson | None:
    """The lesson that the run waits with; None if the key may not read the run's thread. Raises Refused."""
    try:
        states = client.post(f"/threads/{run}/history", {"limit": LATEST, "select": FIELDS})
    except Refused as error:
        if error.status not in (FORBIDDEN, NOT_FOUND):
            raise
        return None
    drafts = [each for each in states if each["next"] == ["verify"] and each["values"].get("draft")]
    asked = [each["values"]["curriculum"]["pairs"] for each in states if each["next"] == ["approve"]]
    if not drafts or not asked:
        return None
    return Lesson(
        checkpoint_id=str(drafts[0]["checkpoint_id"]),
        draft=drafts[0]["values"]["draft"],
        pairs=tuple(asked[0]),
        changes=_changes(asked[1], asked[0]) if len(asked) > 1 else (),
    )


def edited(draft: Json, dropped: Sequence[int], edits: Mapping[int, tuple[str, str]]) -> dict[str, Any]:
    """The draft without the facts of these numbers, and with other words for some questions.

    A question that is edited to nothing is left out.
    """
    facts = list(dict.fromkeys((str(each["answer"]), str(each["quote"])) for each in draft["candidates"]))
    gone = {facts[number] for number in dropped}
    candidates = []
    for number, each in enumerate(draft["candidates"]):
        if (each["answer"], each["quote"]) in gone:
            continue
        question, answer = edits.get(number, (each["question"], each["answer"]))
        if question:
            candidates.append({**each, "question": question, "answer": answer})
    return {**draft, "candidates": candidates}


def _changes(before: Sequence[Json], after: Sequence[Json]) -> tuple[tuple[str, str, str], ...]:
    was, now = ({(str(e["question"]), str(e["answer"])): None for e in each} for each in (before, after))
    left_out = [("left out", *pair) for pair in was if pair not in now]
    new = [("new", *pair) for pair in now if pair not in was]
    return tuple((left_out + new)[:MOST_CHANGES])
