"""Turns measurements into figures with confidence intervals, each with the command that measures it."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import mean
from typing import NamedTuple

from agent.chat.calibration import calibration_error
from benchmarks.learning.data import Kind
from benchmarks.learning.parts import EXTRACTION, find_part
from benchmarks.learning.records import (
    WITH_PASSAGE,
    Condition,
    LessonResult,
    Measurement,
    Proportion,
    proportion_correct,
    results_of_kind,
)
from benchmarks.learning.variants import ABLATIONS, VARIANTS
from memory.results import Goal, Result, Table, rows

GRADED = Path(__file__).parents[1] / "graded"
"""Human grades of extracted facts and questions. The texts were not used to write the rules, and the graders
did not know the rules. Each line refers to a place in the source instead of quoting it."""
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
ABLATION_PARTS = frozenset({"squad-5", "sequence-3", "section-lift"})
ABLATION_GOALS = {
    "product over a random adapter of the same norm, points": Goal(at=">=", bound=0.0),
    "section lift, points": Goal(at=">=", bound=0.0),
}
ACCURACIES: tuple[tuple[str, Kind, Condition], ...] = (
    ("base closed-book", "own", "base"),
    ("closed-book", "own", "adapter"),
    ("base with sources", "own", "base with sources"),
    ("with sources", "own", "adapter with sources"),
    ("unanswerable declined, closed-book", "unanswerable", "adapter"),
    ("unanswerable declined, with sources", "unanswerable", "adapter with sources"),
    ("invented names declined by the base", "invented", "base"),
    ("invented names declined", "invented", "adapter"),
)
"""Name, kind of question and condition of the figures of each part and variant."""


class Figure(NamedTuple):
    """A figure, and the command that measures it."""

    name: str
    value: float
    command: str
    proportion: Proportion | None = None
    """If the value is a proportion of questions."""


Group = tuple[str, str]
"""Part and variant."""


def page(measurements: Sequence[Measurement], *, name: str, command: str) -> Result:
    """The result for everything but the ablations."""
    included = [m for m in measurements if not _is_ablation(m)]
    product = [m for m in included if m.variant == "product"]
    figures = _graded_figures()
    for group, members in _by_group(included).items():
        figures += _group_figures(group, members, command)
    figures += _overall_figures([m for m in product if not m.part.startswith("sequence-")], command)
    for part in _sequence_parts(product):
        figures += _sequence_figures(part, product, command)
    figures += [
        Figure(figure, value, _command_for(command, m.part))
        for m in included
        for figure, value in m.figures.items()
    ]
    return _result(
        name,
        "Learning from real text",
        command,
        included,
        figures,
        {} if name.endswith("-quick") else GOALS,
        (_lesson_table(included), _drop_table(included)),
    )


def ablations(measurements: Sequence[Measurement], *, name: str, command: str) -> Result:
    """The result for the ablations, next to the product as shipped."""
    included = [m for m in measurements if _is_ablation(m)]
    figures: list[Figure] = []
    for group, members in _by_group(included).items():
        figures += _group_figures(group, members, command)
    product = [m for m in included if (m.part, m.variant) == ("squad-5", "product")]
    null = [m for m in included if m.variant == "null-adapter"]
    if product and null:
        product_accuracy, null_accuracy = (
            proportion_correct(results_of_kind(group, "own"), "adapter").value for group in (product, null)
        )
        figures.append(
            Figure(
                "product over a random adapter of the same norm, points",
                100 * (product_accuracy - null_accuracy),
                _command_for(command, "squad-5,squad-5:null-adapter"),
            )
        )
    single = [m for m in measurements if m.part in ("squad-1", "section-lift") and m.variant == "product"]
    if single:
        lift_command = _command_for(command, "section-lift")
        figures.append(Figure("section lift, points", section_lift(single), lift_command))
    tables = (_ablation_table(included), _lesson_table(included))
    return _result(name, "Ablations of the lesson", command, included, figures, ABLATION_GOALS, tables)


def section_lift(measurements: Sequence[Measurement]) -> float:
    """Gain in accuracy on the taught passage over the gain on another passage, in points."""

    def gain(kind: Kind) -> float:
        results = results_of_kind(measurements, kind)
        return proportion_correct(results, "adapter").value - proportion_correct(results, "base").value

    return 100 * (gain("own") - gain("other"))


def confidence_error(measurements: Sequence[Measurement]) -> float:
    """Expected calibration error of the adapter's predicted probabilities, on the `own` questions."""
    pairs = [
        (response.chance, result.is_correct("adapter"))
        for result in results_of_kind(measurements, "own")
        if (response := result.responses.get("adapter")) is not None and response.chance is not None
    ]
    return calibration_error([chance for chance, _ in pairs], [correct for _, correct in pairs])


def _result(
    name: str,
    title: str,
    command: str,
    measurements: Sequence[Measurement],
    figures: Sequence[Figure],
    goals: dict[str, Goal],
    tables: tuple[Table, ...],
) -> Result:
    all_figures = Table(
        title="All figures",
        text="Each figure with its command; shares of questions with their 95% Wilson interval.",
        head=("figure", "measured", "95% interval", "questions", "command"),
        rows=rows([_figure_row(figure) for figure in figures]),
    )
    all_tables = (all_figures, *tables, _reduction_table(measurements), _failure_table(measurements))
    return Result(
        name=name,
        title=title,
        command=command,
        seconds=sum(m.seconds for m in measurements),
        figures={figure.name: figure.value for figure in figures},
        goals=goals,
        tables=tuple(table for table in all_tables if table.rows),
    )


def _figure_row(figure: Figure) -> tuple[object, ...]:
    if figure.proportion is None:
        return figure.name, f"{figure.value:.4g}", "", "", f"`{figure.command}`"
    low, high = figure.proportion.interval
    interval = f"{low:.2f} to {high:.2f}"
    return figure.name, f"{figure.value:.3f}", interval, figure.proportion.count, f"`{figure.command}`"


def _group_figures(group: Group, measurements: Sequence[Measurement], command: str) -> Iterable[Figure]:
    """The figures of one part and variant, over all its texts and seeds."""
    part, variant = group
    title = find_part(part).title
    title = title if variant == "product" else f"{title} ({variant})"
    part_command = _command_for(command, part if variant == "product" else f"{part}:{variant}")
    for name, kind, condition in ACCURACIES:
        accuracy = proportion_correct(results_of_kind(measurements, kind), condition)
        if accuracy.count:
            yield Figure(f"{title}: {name}", accuracy.value, part_command, accuracy)
    best = max(_passage_accuracies(measurements), key=lambda accuracy: accuracy.value)
    if best.count:
        yield Figure(f"{title}: base reading the passage", best.value, part_command, best)
    if any(m.lesson for m in measurements):
        yield Figure(f"{title}: held-out wordings", _held_out_accuracy(measurements), part_command)
        yield Figure(f"{title}: general known lost, points", _mean_general_loss(measurements), part_command)
        yield Figure(f"{title}: own answers lost", _mean_drift(measurements), part_command)
        yield Figure(f"{title}: error of stated confidence", confidence_error(measurements), part_command)


def _overall_figures(product: Sequence[Measurement], command: str) -> list[Figure]:
    """The figures over all of the product's lessons outside sequences."""
    lessons = _lessons_of(product)
    if not lessons:
        return []
    losses = [_general_loss(lesson) for lesson in lessons]
    figures = [
        Figure("held-out wordings", _held_out_accuracy(product), command),
        Figure("general known lost, points", max(losses), command),
        Figure("general known lost, mean of the lessons, points", mean(losses), command),
        Figure("own answers lost", max(_drift(lesson) for lesson in lessons), command),
        Figure("lessons that passed the gates", mean(lesson.passed for lesson in lessons), command),
        Figure("error of stated confidence", confidence_error(product), command),
    ]
    complete = _lessons_of([m for m in product if find_part(m.part).max_facts is None])
    if complete:  # the time per passage means nothing for lessons with only some of the facts
        seconds = sum(lesson.seconds for lesson in complete) / sum(lesson.passages for lesson in complete)
        figures.append(Figure("seconds per passage", seconds, command))
    conditions: tuple[tuple[str, Condition], ...] = (("before", "base"), ("after", "adapter"))
    for name, condition in conditions:
        declined = proportion_correct(results_of_kind(product, "invented"), condition)
        figures.append(Figure(f"invented names declined {name}", declined.value, command, declined))
    timed = [lesson for lesson in lessons if lesson.bare_seconds]
    if timed:
        bare_seconds = sum(lesson.bare_seconds or 0.0 for lesson in timed)
        overhead = sum(lesson.seconds for lesson in timed) / bare_seconds - 1
        figures.append(Figure("overhead over a bare PyTorch loop", overhead, command))
    return figures


def _sequence_figures(part: str, product: Sequence[Measurement], command: str) -> Iterable[Figure]:
    """What is retained after the last lesson of a sequence."""
    lessons = [m for m in product if m.part == part and m.lesson]
    if not lessons:
        return
    last, count = lessons[-1], len(lessons)
    part_command = _command_for(command, part)
    assert last.lesson is not None
    loss, drift = _general_loss(last.lesson), _drift(last.lesson)
    yield Figure(f"general known lost after {count} lessons, points", loss, part_command)
    yield Figure(f"own answers lost after {count} lessons", drift, part_command)
    before = proportion_correct(results_of_kind(lessons[:-1], "own"), "adapter")
    after = proportion_correct(results_of_kind([last], "earlier"), "adapter")
    learned = f"earlier lessons' questions when learned, of {count - 1}"
    yield Figure(learned, before.value, part_command, before)
    yield Figure(f"the same after {count} lessons", after.value, part_command, after)
    lost = 100 * (before.value - after.value)
    yield Figure(f"lost of earlier lessons after {count} lessons, points", lost, part_command)


def _graded_figures() -> list[Figure]:
    figures = []
    for name, title in (("facts", "facts true"), ("questions", "questions good")):
        lines = (GRADED / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
        good = Proportion(hits=sum(bool(json.loads(line)["good"]) for line in lines), count=len(lines))
        command = "judged by hand, benchmarks/graded"
        figures.append(Figure(f"{title}, of those graded", good.value, command, good))
    return figures


def _lesson_table(measurements: Sequence[Measurement]) -> Table:
    def row(m: Measurement, lesson: LessonResult) -> tuple[object, ...]:
        own = results_of_kind([m], "own")
        before, after = lesson.before, lesson.after
        accuracy = proportion_correct(own, "adapter")
        return (
            m.text,
            m.variant,
            m.seed,
            lesson.passages,
            lesson.facts,
            lesson.lessons,
            accuracy.count,
            f"{proportion_correct(own, 'base').value:.2f}",
            f"{max(each.value for each in _passage_accuracies([m])):.2f}",
            _with_interval(accuracy),
            f"{after.in_distribution.accuracy:.2f}",
            f"{before.out_of_distribution.accuracy:.3f} -> {after.out_of_distribution.accuracy:.3f}",
            f"{_drift(lesson):.3f}",
            f"{lesson.seconds / lesson.passages:.0f}",
            lesson.recipe if lesson.passed else "; ".join(lesson.reasons),
        )

    return Table(
        title="Lessons",
        text="Accuracy of the adapter without sources on the questions by people, with 95% Wilson intervals."
        " Adapters that failed the gates are included. The last column has the recipe that passed the gates,"
        " or the reasons for failing.",
        head=("text", "variant", "seed", "passages", "facts", "adapters", "questions", "base",
              "base reading", "after", "held-out wordings", "general", "own answers lost", "s per passage",
              "gates"),
        rows=rows([row(m, m.lesson) for m in measurements if m.lesson]),
    )  # fmt: skip


def _ablation_table(measurements: Sequence[Measurement]) -> Table:
    lines = [
        (
            part,
            variant,
            VARIANTS[variant].description,
            _with_interval(proportion_correct(results_of_kind(members, "own"), "adapter")),
            f"{_held_out_accuracy(members):.2f}",
            f"{_mean_general_loss(members):.1f}",
            f"{_mean_drift(members):.3f}",
            f"{sum(lesson.seconds for lesson in _lessons_of(members)):.0f}",
        )
        for (part, variant), members in _by_group(measurements).items()
        if _lessons_of(members)
    ]
    return Table(
        title="Ablations",
        text="Each variant changes one thing. Only the product repeats a failed lesson.",
        head=("part", "variant", "difference", "closed-book", "held-out wordings",
              "general known lost, points", "own answers lost", "seconds"),
        rows=rows(lines),
    )  # fmt: skip


def _drop_table(measurements: Sequence[Measurement]) -> Table:
    counts = sum((Counter(lesson.dropped) for lesson in _lessons_of(measurements)), Counter[str]())
    return Table(
        title="Dropped by verification",
        text="Candidate questions of all lessons, by reason.",
        head=("reason", "candidates"),
        rows=rows(counts.most_common()),
    )


def _reduction_table(measurements: Sequence[Measurement]) -> Table:
    parts = [find_part(name) for name in dict.fromkeys(m.part for m in measurements)]
    return Table(
        title="Reductions",
        text="What is left out to keep the run under two hours on two cores.",
        head=("part", "reduction"),
        rows=rows([(part.name, part.reduction) for part in parts if part.reduction]),
    )


def _failure_table(measurements: Sequence[Measurement]) -> Table:
    return Table(
        title="Failed",
        text="The next run repeats these measurements.",
        head=("part", "text", "variant", "reason"),
        rows=rows([(m.part, m.text, m.variant, _table_cell(m.failed)) for m in measurements if m.failed]),
    )


def _is_ablation(measurement: Measurement) -> bool:
    return measurement.variant in ABLATIONS or measurement.part in ABLATION_PARTS


def _by_group(measurements: Iterable[Measurement]) -> dict[Group, list[Measurement]]:
    groups: dict[Group, list[Measurement]] = {}
    for each in measurements:
        if each.part != EXTRACTION:
            groups.setdefault((each.part, each.variant), []).append(each)
    return groups


def _sequence_parts(measurements: Iterable[Measurement]) -> list[str]:
    return list(dict.fromkeys(m.part for m in measurements if m.part.startswith("sequence-")))


def _lessons_of(measurements: Iterable[Measurement]) -> list[LessonResult]:
    return [m.lesson for m in measurements if m.lesson]


def _passage_accuracies(measurements: Sequence[Measurement]) -> list[Proportion]:
    """Accuracy of the base model with the passage, for each prompt."""
    own = results_of_kind(measurements, "own")
    return [proportion_correct(own, condition) for condition in WITH_PASSAGE]


def _held_out_accuracy(measurements: Sequence[Measurement]) -> float:
    scores = [lesson.after.in_distribution for lesson in _lessons_of(measurements)]
    return sum(s.accuracy * s.count for s in scores) / max(1, sum(s.count for s in scores))


def _general_loss(lesson: LessonResult) -> float:
    """Net loss of accuracy on general questions, in points."""
    return 100 * (lesson.before.out_of_distribution.accuracy - lesson.after.out_of_distribution.accuracy)


def _mean_general_loss(measurements: Sequence[Measurement]) -> float:
    return mean(map(_general_loss, _lessons_of(measurements)))


def _drift(lesson: LessonResult) -> float:
    """Share of the base model's own answers that became unlikely."""
    return lesson.after.drift.lost if lesson.after.drift else 0.0


def _mean_drift(measurements: Sequence[Measurement]) -> float:
    return mean(map(_drift, _lessons_of(measurements)))


def _with_interval(proportion: Proportion) -> str:
    low, high = proportion.interval
    return f"{proportion.value:.2f} ({low:.2f} to {high:.2f})"


def _command_for(command: str, parts: str) -> str:
    """The command restricted to some parts."""
    words = [word for word in command.split() if not word.startswith("PARTS=")]
    return " ".join(words if "QUICK=1" in words else [*words, f"PARTS={parts}"])


def _table_cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "/")[:400]
