"""Plans what to do about many questions: sources alone, teaching the base in use, or growing to a larger one.

The arithmetic is small, and all its coefficients were measured by benchmarks: `docs/results` holds them. What
was not measured is not guessed: the plan says which command measures it.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from memory.records.base import Record

RESULTS = Path(__file__).resolve().parents[2] / "docs" / "results"
"""In a clone; an installed package has what `make docs` copied from there."""
SHIPPED = Path(__file__).with_name("coefficients.json")
Way = Literal["sources", "teach", "grow"]


class Source(NamedTuple):
    """Where a coefficient stands: the result, the figure in it, and the command that measures it."""

    result: str
    figure: str
    command: str


SOURCES: dict[str, Source] = {
    "sources_right": Source(
        "answers",
        "squad: answer or quote holds the gold answer",
        "make bench-answers DATA=../shared/data",
    ),
    "passages_read": Source(
        "capacity", "passages a second that one process reads, with facts and vectors", "make bench-capacity"
    ),
    "teach_seconds": Source("learning", "seconds per passage", "make bench-learning DATA=../shared/data"),
    "taught_right": Source(
        "learning",
        "squad, 10 passages: closed-book",
        "make bench-learning DATA=../shared/data PARTS=squad-10",
    ),
    "taught_many_right": Source(
        "learning",
        "squad, 50 passages: closed-book",
        "make bench-learning DATA=../shared/data PARTS=squad-50",
    ),
    "grow_seconds": Source("grow", "seconds a passage", "make bench-grow DATA=../shared/data"),
    "moved": Source("grow", "lessons moved", "make bench-grow DATA=../shared/data"),
    "grown_right": Source("grow", "people's questions, target after", "make bench-grow DATA=../shared/data"),
    "kept_right": Source("grow", "people's questions, source after", "make bench-grow DATA=../shared/data"),
}
"""Of people's questions on SQuAD throughout, so that the three ways compare."""
ONE_LESSON = 10
"""Passages of the lesson behind `taught_right`. Larger ones are learned worse: see `taught_many_right`."""


class Coefficient(Record):
    """One measured figure and where it stands."""

    name: str
    value: float | None
    """None if it was not measured."""
    file: str
    figure: str
    command: str


class Shipped(Record):
    """The file of coefficients that ships."""

    coefficients: tuple[Coefficient, ...]


class Option(Record):
    """One way to answer the questions."""

    way: Way
    minutes: float | None
    """None if a coefficient is missing."""
    right: float | None
    """Expected share of the questions that are answered rightly."""
    fits: bool | None
    """Whether it fits into the budget; None if that is not known."""
    why: str
    missing: tuple[str, ...] = ()
    """Commands that measure what is missing."""


class GrowthPlan(Record):
    """The ways to answer so many questions within a budget, and the one to take."""

    questions: int
    budget: float
    """Minutes."""
    options: tuple[Option, ...]
    coefficients: tuple[Coefficient, ...]
    choice: Way | None
    """The way that fits and answers most; None if none fits, or too little was measured."""
    because: str


def known_coefficients() -> tuple[Coefficient, ...]:
    """The coefficients of this clone, or those that ship. Raises ValueError for a damaged file."""
    if RESULTS.is_dir():
        return read_coefficients(RESULTS)
    return Shipped.model_validate_json(SHIPPED.read_bytes()).coefficients


def read_coefficients(folder: Path) -> tuple[Coefficient, ...]:
    """The coefficients, as far as the results in `folder` hold them. Raises ValueError for a damaged file."""
    return tuple(
        Coefficient(
            name=name,
            value=_figure(folder / f"{source.result}.json", source.figure),
            file=f"{folder.parent.name}/{folder.name}/{source.result}.json",
            figure=source.figure,
            command=source.command,
        )
        for name, source in SOURCES.items()
    )


def growth_plan(questions: int, budget: float, coefficients: Sequence[Coefficient]) -> GrowthPlan:
    """The plan for so many questions and minutes; each question may need a passage of its own.

    Raises ValueError unless both are positive.
    """
    if questions < 1 or not budget > 0:
        raise ValueError("a plan needs at least one question and a budget of more than 0 minutes")
    known = {each.name: each for each in coefficients}
    options = (
        _sources(questions, budget, known),
        _teach(questions, budget, known),
        _grow(questions, budget, known),
    )
    choice = max(
        (option for option in options if option.fits and option.right is not None),
        key=lambda option: (option.right or 0.0, -(option.minutes or 0.0)),
        default=None,
    )
    return GrowthPlan(
        questions=questions,
        budget=budget,
        options=options,
        coefficients=tuple(coefficients),
        choice=choice.way if choice else None,
        because=_because(choice, options),
    )


def _sources(questions: int, budget: float, known: dict[str, Coefficient]) -> Option:
    missing = _missing(known, "passages_read", "sources_right")
    if missing:
        return _unknown("sources", missing)
    minutes = questions / _value(known, "passages_read") / 60
    why = (
        f"reading {questions:,} passages takes {minutes:.1f} min; of people's questions"
        f" {_value(known, 'sources_right'):.0%} were answered with their source"
    )
    return _option("sources", minutes, budget, _value(known, "sources_right"), why)


def _teach(questions: int, budget: float, known: dict[str, Coefficient]) -> Option:
    learned = "taught_right" if questions <= ONE_LESSON else "taught_many_right"
    missing = _missing(known, "teach_seconds", learned)
    if known["teach_seconds"].value is None:
        return _unknown("teach", missing)
    minutes = questions * _value(known, "teach_seconds") / 60
    takes = f"teaching {questions:,} passages takes {minutes:,.0f} min"
    if missing:
        unknown = _unknown("teach", missing)
        update = {"minutes": minutes, "fits": minutes <= budget, "why": f"{takes}; {unknown.why}"}
        return unknown.model_copy(update=update)
    right = _value(known, learned)
    why = f"{takes}; the adapter then answered {right:.0%} of people's questions without sources"
    return _option("teach", minutes, budget, right, why)


def _grow(questions: int, budget: float, known: dict[str, Coefficient]) -> Option:
    missing = _missing(known, "grow_seconds", "moved", "grown_right", "kept_right")
    if missing:
        return _unknown("grow", missing)
    minutes = questions * _value(known, "grow_seconds") / 60
    if not _value(known, "moved"):
        why = f"it takes {minutes:,.0f} min, and the gates of the larger base rejected all of the lessons"
        return Option(way="grow", minutes=minutes, right=None, fits=None, why=why)
    why = (
        f"teaching {questions:,} passages again takes {minutes:,.0f} min; the larger base"
        f" then answered {_value(known, 'grown_right'):.0%} of people's questions without sources, the"
        f" smaller one {_value(known, 'kept_right'):.0%}"
    )
    return _option("grow", minutes, budget, _value(known, "grown_right"), why)


def _option(way: Way, minutes: float, budget: float, right: float, why: str) -> Option:
    return Option(way=way, minutes=minutes, right=right, fits=minutes <= budget, why=why)


def _unknown(way: Way, missing: Sequence[Coefficient]) -> Option:
    figures = ", ".join(f"{each.figure!r} of {each.file}" for each in missing)
    commands = tuple(dict.fromkeys(each.command for each in missing))
    why = f"not measured: {figures}; run `{'` and `'.join(commands)}`"
    return Option(way=way, minutes=None, right=None, fits=None, why=why, missing=commands)


def _because(choice: Option | None, options: Sequence[Option]) -> str:
    unknown = [option.way for option in options if option.right is None and option.fits is not False]
    left_out = f"; {' and '.join(unknown)} cannot be judged yet" if unknown else ""
    if choice is None:
        return f"nothing that was measured fits the budget{left_out}"
    return f"of what fits the budget, it answers most: {choice.right:.0%}{left_out}"


def _missing(known: dict[str, Coefficient], *names: str) -> list[Coefficient]:
    return [known[name] for name in names if known[name].value is None]


def _value(known: dict[str, Coefficient], name: str) -> float:
    value = known[name].value
    assert value is not None, f"{name} was found missing before"
    return value


def _figure(path: Path, figure: str) -> float | None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))["figures"].get(figure)
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, AttributeError) as error:
        raise ValueError(f"{path} is no result of a benchmark: run its command again ({error})") from error
    return None if found is None else float(found)
