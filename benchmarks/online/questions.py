"""What the simulated users ask: conversation openers of ours, and questions that people wrote.

A fixed share of all prompts is held out: these are asked only to compare answers, never by a user, so that
nothing can be learned of them. Which prompts these are depends on their text alone.
"""

import hashlib
import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.online.openers import SUBJECTS, TEMPLATES
from benchmarks.online.population import drawn
from memory.records.base import Record, Share

HELD_OUT = 0.2
PEOPLES = 0.3
"""Share of people's questions among what is asked; half of them are about passages in the library, where
there is one."""
SOURCED = 40
"""Passages of SQuAD that become the library."""


class Prompts(Record):
    """All prompts of a simulated month."""

    openers: tuple[str, ...]
    people: tuple[str, ...] = ()
    """Questions typed into a search engine (Natural Questions)."""
    sourced: tuple[str, ...] = ()
    """Questions about the passages."""
    passages: tuple[tuple[str, str], ...] = ()
    """Titles and texts of the documents that the library starts with."""

    def asked(self, count: int, *about: object) -> tuple[str, ...]:
        """Prompts for the users, different from each other as far as there are enough."""
        return self._draw(count, False, PEOPLES, *about)

    def held_out(self, count: int, *about: object) -> tuple[str, ...]:
        """Prompts to compare answers on."""
        return self._draw(count, True, PEOPLES, *about)

    def _draw(self, count: int, held_out: bool, people: Share, *about: object) -> tuple[str, ...]:
        draw = drawn("prompts", held_out, *about)
        theirs = [_of(self.people, held_out), _of(self.sourced, held_out)]
        kinds = [kind for kind in theirs if kind]
        chosen: list[str] = []
        for kind in kinds:
            chosen += _some(kind, round(count * people / len(kinds)), draw)
        chosen += _some(_of(self.openers, held_out), count - len(chosen), draw)
        draw.shuffle(chosen)
        return tuple(chosen)


def openers() -> tuple[str, ...]:
    """Each template about each subject."""
    return tuple(template.format(subject) for template in TEMPLATES for subject in SUBJECTS)


def prompts(data: Path | None = None) -> Prompts:
    """Our openers, and people's questions if the folder of public data is given.

    Raises OSError if the folder lacks nq-open/ or squad/.
    """
    if data is None:
        return Prompts(openers=openers())
    people = [f"{line['question'].rstrip('?')}?" for line in _lines(data / "nq-open")]
    passages = drawn("passages").sample(_lines(data / "squad"), SOURCED)
    return Prompts(
        openers=openers(),
        people=tuple(people),
        sourced=tuple(each["question"] for passage in passages for each in passage["questions"]),
        passages=tuple(
            (f"{n:02d} {passage['title']}", passage["context"]) for n, passage in enumerate(passages)
        ),
    )


def is_held_out(prompt: str) -> bool:
    """Whether the prompt is kept for comparison."""
    digest = hashlib.sha256(prompt.lower().encode()).digest()
    return int.from_bytes(digest[:8], "big") < HELD_OUT * 2**64


def _of(prompts: Sequence[str], held_out: bool) -> list[str]:
    return [prompt for prompt in prompts if is_held_out(prompt) == held_out]


def _some(prompts: list[str], count: int, draw: random.Random) -> list[str]:
    """That many prompts; some more than once only if there are fewer."""
    if not prompts:
        raise ValueError("there is no prompt of this kind")
    chosen: list[str] = []
    while len(chosen) < count:
        chosen += draw.sample(prompts, min(len(prompts), count - len(chosen)))
    return chosen


def _lines(folder: Path) -> list[dict[str, Any]]:
    (path,) = sorted(folder.glob("*.jsonl"))
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
