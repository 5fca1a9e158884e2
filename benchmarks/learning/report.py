"""The results of `benchmarks.learning` as figures, with intervals and the commands that measure them."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import mean
from typing import NamedTuple

from agent.chat.calibration import calibration_error
from benchmarks.learning.data import Kind
from benchmarks.learning.parts import READING as PARSED
from benchmarks.learning.parts import part_of
from benchmarks.learning.records import READING, Answered, Lesson, Measured, Share, Way, asked_of, share
from benchmarks.learning.variants import ABLATIONS, VARIANTS
from memory.results import Goal, Result, Table, rows

GRADED = Path(__file__).parents[1] / "graded"
"""Facts and questions of texts that the rules were not written on, judged by readers who did not know
the rules: by place in the source, without its text."""
GOALS = {
    "facts true, of those graded": Goal(at=">=", bound=0.90),
    "questions good, of those graded": Goal(at=">=", bound=0.85),
    "squad, one passage a lesson: closed-book": Goal(at=">=", bound=0.47),
    "squad, 10 passages: closed-book": Goal(at=">=", bound=0.45),
    "squad, 50 passages: closed-book": Goal(at=">=", bound=0.40),
    **{
        f"{manual}: {figure}": Goal(at=">=", bound=bound)
        for manual in ("manual-httpx", "manual-pihole")
        for figure, bound in (
            ("closed-book", 0.30),
            ("with sources", 0.60),
            ("unanswerable declined, with sources", 0.80),
        )
    },
    "rust-book: closed-book": Goal(at=">=", bound=0.50),
    "held-out wordings": Goal(at=">=", bound=0.95),
    "general known lost, points": Goal(at="<=", bound=1.0),
    "own answers lost": Goal(at="<=", bound=0.01),
    "error of stated confidence": Goal(at="<=", bound=0.05),
    "seconds per passage": Goal(at="<=", bound=40),
    "overhead over a bare PyTorch loop": Goal(at="<=", bound=0.15),
    "general known lost after 10 lessons, points": Goal(at="<=", bound=2.0),
    "lost of earlier lessons after 10 lessons, points": Goal(at="<=", bound=3.0),
}
ABLATED_PARTS = frozenset({"squad-5", "sequence-3", "section-lift"})
ABLATION_GOALS = {
    "product over a random adapter of the same norm, points": Goal(at=">=", bound=0.0),
    "section lift, points": Goal(at=">=", bound=0.0),
}
WAYS: tuple[tuple[str, Kind, Way], ...] = (
    ("base closed-book", "own", "base"),
    ("closed-book", "own", "adapter"),
    ("base with sources", "own", "base with sources"),
    ("with sources", "own", "adapter with sources"),
    ("unanswerable declined, closed-book", "unanswerable", "adapter"),
    ("unanswerable declined, with sources", "unanswerable", "adapter with sources"),
    ("invented names declined by the base", "invented", "base"),
    ("invented names declined", "invented", "adapter"),
)


class Figure(NamedTuple):
    """One row."""

    name: str
    value: float
    command: str
    share: Share | None = None


Group = tuple[str, str]
"""Part and variant."""


def page(measured: Sequence[Measured], *, name: str, command: str) -> Result:
    """The result of all that was measured and is not an ablation."""
    mine = [m for m in measured if not _ablation(m)]
    product = [m for m in mine if m.variant == "product"]
    found = [*_graded(), *(f for group, ms in _groups(mine).items() for f in _of_group(group, ms, command))]
    found += _overall([m for m in product if not m.part.startswith("sequence-")], command)
    found += [f for part in _sequences(product) for f in _of_sequence(part, product, command)]
    found += [
        Figure(figure, value, _command(command, m.part)) for m in mine for figure, value in m.figures.items()
    ]
    return _result(
        name,
        "Learning from real prose",
        command,
        mine,
        found,
        {} if name.endswith("-quick") else GOALS,
        (_lessons(mine), _dropped(mine)),
    )


def ablations(measured: Sequence[Measured], *, name: str, command: str) -> Result:
    """The result of what was changed one by one, beside the product as shipped."""
    mine = [m for m in measured if _ablation(m)]
    found = [f for group, ms in _groups(mine).items() for f in _of_group(group, ms, command)]
    product = [m for m in mine if (m.part, m.variant) == ("squad-5", "product")]
    null = [m for m in mine if m.variant == "null-adapter"]
    if product and null:
        ours, theirs = (share(asked_of(ms, "own"), "adapter").value for ms in (product, null))
        title = "product over a random adapter of the same norm, points"
        found.append(Figure(title, 100 * (ours - theirs), _command(command, "squad-5,squad-5:null-adapter")))
    lifted = [m for m in measured if m.part in ("squad-1", "section-lift") and m.variant == "product"]
    if lifted:
        found.append(Figure("section lift, points", section_lift(lifted), _command(command, "section-lift")))
    tables = (_changes(mine), _lessons(mine))
    return _result(name, "What the lessons' parts are worth", command, mine, found, ABLATION_GOALS, tables)


def section_lift(measured: Sequence[Measured]) -> float:
    """Points that questions about the taught passage gain over those about another one."""

    def gain(kind: Kind) -> float:
        answered = asked_of(measured, kind)
        return share(answered, "adapter").value - share(answered, "base").value

    return 100 * (gain("own") - gain("other"))


def _result(
    name: str,
    title: str,
    command: str,
    measured: Sequence[Measured],
    found: Sequence[Figure],
    goals: dict[str, Goal],
    tables: tuple[Table, ...],
) -> Result:
    every = Table(
        title="All figures",
        text="Each with its command; shares of questions with their 95% interval (Wilson).",
        head=("figure", "measured", "95% interval", "questions", "command"),
        rows=rows([_row(figure) for figure in found]),
    )
    return Result(
        name=name,
        title=title,
        command=command,
        seconds=sum(m.seconds for m in measured),
        figures={figure.name: figure.value for figure in found},
        goals=goals,
        tables=tuple(t for t in (every, *tables, _scaled(measured), _failed(measured)) if t.rows),
    )


def _row(figure: Figure) -> tuple[object, ...]:
    if figure.share is None:
        return figure.name, f"{figure.value:.4g}", "", "", f"`{figure.command}`"
    low, high = figure.share.interval
    interval = f"{low:.2f} to {high:.2f}"
    return figure.name, f"{figure.value:.3f}", interval, figure.share.count, f"`{figure.command}`"


def _of_group(group: Group, measured: Sequence[Measured], command: str) -> Iterable[Figure]:
    """People's questions about one part, taught in one way; all seeds and texts together."""
    part, variant = group
    title = part_of(part).title
    title = title if variant == "product" else f"{title} ({variant})"
    once = _command(command, part if variant == "product" else f"{part}:{variant}")
    for name, kind, way in WAYS:
        found = share(asked_of(measured, kind), way)
        if found.count:
            yield Figure(f"{title}: {name}", found.value, once, found)
    read = [share(asked_of(measured, "own"), way) for way in READING]
    best = max(read, key=lambda each: each.value)
    if best.count:
        yield Figure(f"{title}: base reading the passage", best.value, once, best)
    if any(m.lesson for m in measured):
        yield Figure(f"{title}: held-out wordings", _held_out(measured), once)
        yield Figure(f"{title}: general known lost, points", _general_lost(measured), once)
        yield Figure(f"{title}: own answers lost", _own_lost(measured), once)
        yield Figure(f"{title}: error of stated confidence", confidence_error(measured), once)


def _overall(product: Sequence[Measured], command: str) -> list[Figure]:
    """Of all the product's single lessons."""
    lessons = _of(product)
    if not lessons:
        return []
    bare = [lesson for lesson in lessons if lesson.bare_seconds]
    found = [
        Figure("held-out wordings", _held_out(product), command),
        Figure("general known lost, points", max(map(_lost, lessons)), command),
        Figure("general known lost, mean of the lessons, points", mean(map(_lost, lessons)), command),
        Figure("own answers lost", max(_drifted(lesson) for lesson in lessons), command),
        Figure("lessons that passed the gates", mean(lesson.passed for lesson in lessons), command),
        Figure("error of stated confidence", confidence_error(product), command),
    ]
    whole = _of([measured for measured in product if part_of(measured.part).facts is None])
    if whole:  # where only some facts of a text are taught, its passages say nothing about the time
        seconds = sum(lesson.seconds for lesson in whole) / sum(lesson.passages for lesson in whole)
        found.append(Figure("seconds per passage", seconds, command))
    for name, way in (("before", "base"), ("after", "adapter")):
        declined = share(asked_of(product, "invented"), way)  # type: ignore[arg-type]  # both are ways
        found.append(Figure(f"invented names declined {name}", declined.value, command, declined))
    if bare:
        ours, loop = sum(b.seconds for b in bare), sum(b.bare_seconds or 0.0 for b in bare)
        found.append(Figure("overhead over a bare PyTorch loop", ours / loop - 1, command))
    return found


def _of_sequence(part: str, product: Sequence[Measured], command: str) -> Iterable[Figure]:
    """What is left after the last lesson of a sequence."""
    mine = [m for m in product if m.part == part and m.lesson]
    if not mine:
        return
    last, count = mine[-1], len(mine)
    once = _command(command, part)
    assert last.lesson is not None
    yield Figure(f"general known lost after {count} lessons, points", _lost(last.lesson), once)
    yield Figure(f"own answers lost after {count} lessons", _drifted(last.lesson), once)
    then = share(asked_of(mine[:-1], "own"), "adapter")
    now = share(asked_of([last], "earlier"), "adapter")
    yield Figure(f"earlier lessons' questions when learned, of {count - 1}", then.value, once, then)
    yield Figure(f"the same after {count} lessons", now.value, once, now)
    lost = 100 * (then.value - now.value)
    yield Figure(f"lost of earlier lessons after {count} lessons, points", lost, once)


def _lessons(measured: Sequence[Measured]) -> Table:
    def row(m: Measured, lesson: Lesson) -> tuple[object, ...]:
        own = asked_of([m], "own")
        before, after = lesson.before, lesson.after
        found = share(own, "adapter")
        low, high = found.interval
        return (
            m.text,
            m.variant,
            m.seed,
            lesson.passages,
            lesson.facts,
            lesson.lessons,
            found.count,
            f"{share(own, 'base').value:.2f}",
            f"{max(share(own, way).value for way in READING):.2f}",
            f"{found.value:.2f} ({low:.2f} to {high:.2f})",
            f"{after.in_distribution.accuracy:.2f}",
            f"{before.out_of_distribution.accuracy:.3f} -> {after.out_of_distribution.accuracy:.3f}",
            f"{_drifted(lesson):.3f}",
            f"{lesson.seconds / lesson.passages:.0f}",
            lesson.recipe if lesson.passed else "; ".join(lesson.reasons),
        )

    return Table(
        title="Lessons",
        text="Questions by people, answered by the adapter without sources, whether the gates let it through"
        " or not; in brackets the 95% interval (Wilson). The last column names the recipe that passed the"
        " gates, or why none did.",
        head=("text", "variant", "seed", "passages", "facts", "adapters", "questions", "base",
              "base reading", "after", "held-out wordings", "general", "own answers lost", "s per passage",
              "gates"),
        rows=rows([row(m, m.lesson) for m in measured if m.lesson]),
    )  # fmt: skip


def _changes(measured: Sequence[Measured]) -> Table:
    lines = []
    for (part, variant), mine in _groups(measured).items():
        if not _of(mine):
            continue
        found = share(asked_of(mine, "own"), "adapter")
        low, high = found.interval
        lines.append(
            (
                part,
                variant,
                VARIANTS[variant].says,
                f"{found.value:.2f} ({low:.2f} to {high:.2f})",
                f"{_held_out(mine):.2f}",
                f"{_general_lost(mine):.1f}",
                f"{_own_lost(mine):.3f}",
                f"{sum(lesson.seconds for lesson in _of(mine)):.0f}",
            )
        )
    return Table(
        title="Changes one by one",
        text="Everything else is the product's; only the product tries a failed lesson again.",
        head=("part", "variant", "what differs", "closed-book", "held-out wordings",
              "general known lost, points", "own answers lost", "seconds"),
        rows=rows(lines),
    )  # fmt: skip


def _dropped(measured: Sequence[Measured]) -> Table:
    dropped = sum((Counter(lesson.dropped) for lesson in _of(measured)), Counter[str]())
    return Table(
        title="What verification dropped",
        text="Candidates of all lessons, by reason.",
        head=("reason", "candidates"),
        rows=rows(dropped.most_common()),
    )


def _scaled(measured: Sequence[Measured]) -> Table:
    parts = [part_of(name) for name in dict.fromkeys(m.part for m in measured)]
    return Table(
        title="What was scaled down",
        text="So that a run takes less than two hours on two cores.",
        head=("part", "how"),
        rows=rows([(part.name, part.scaled) for part in parts if part.scaled]),
    )


def _failed(measured: Sequence[Measured]) -> Table:
    return Table(
        title="What could not be measured",
        text="With the reason; the next run tries it again.",
        head=("part", "text", "variant", "why"),
        rows=rows([(m.part, m.text, m.variant, _cell(m.failed)) for m in measured if m.failed]),
    )


def confidence_error(measured: Sequence[Measured]) -> float:
    """Expected calibration error of the chances stated for people's questions, without sources."""
    answered: list[Answered] = [a for a in asked_of(measured, "own") if "adapter" in a.said]
    stated = [(a.said["adapter"].chance, a.right("adapter")) for a in answered]
    known = [(chance, right) for chance, right in stated if chance is not None]
    return calibration_error([chance for chance, _ in known], [right for _, right in known])


def _ablation(measured: Measured) -> bool:
    return measured.variant in ABLATIONS or measured.part in ABLATED_PARTS


def _groups(measured: Iterable[Measured]) -> dict[Group, list[Measured]]:
    found: dict[Group, list[Measured]] = {}
    for each in measured:
        if each.part != PARSED:
            found.setdefault((each.part, each.variant), []).append(each)
    return found


def _sequences(measured: Iterable[Measured]) -> list[str]:
    return list(dict.fromkeys(m.part for m in measured if m.part.startswith("sequence-")))


def _of(measured: Iterable[Measured]) -> list[Lesson]:
    return [m.lesson for m in measured if m.lesson]


def _held_out(measured: Sequence[Measured]) -> float:
    scores = [lesson.after.in_distribution for lesson in _of(measured)]
    return sum(s.accuracy * s.count for s in scores) / max(1, sum(s.count for s in scores))


def _lost(lesson: Lesson) -> float:
    """Points of accuracy on general questions, net."""
    return 100 * (lesson.before.out_of_distribution.accuracy - lesson.after.out_of_distribution.accuracy)


def _general_lost(measured: Sequence[Measured]) -> float:
    return mean(map(_lost, _of(measured)))


def _drifted(lesson: Lesson) -> float:
    return lesson.after.drift.lost if lesson.after.drift else 0.0


def _own_lost(measured: Sequence[Measured]) -> float:
    return mean(map(_drifted, _of(measured)))


def _command(command: str, parts: str) -> str:
    """The command for some parts only."""
    words = [word for word in command.split() if not word.startswith("PARTS=")]
    return " ".join(words if "QUICK=1" in words else [*words, f"PARTS={parts}"])


def _graded() -> list[Figure]:
    command = "judged by hand, benchmarks/graded"
    found = []
    for name, title in (("facts", "facts true"), ("questions", "questions good")):
        lines = (GRADED / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
        judged = Share(hits=sum(bool(json.loads(line)["good"]) for line in lines), count=len(lines))
        found.append(Figure(f"{title}, of those graded", judged.value, command, judged))
    return found


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "/")[:400]
