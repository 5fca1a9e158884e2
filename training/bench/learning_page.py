"""Owns what the benchmark of learning tells: its figures, goals, tables and plot.

It computes nothing that was not measured in `sequence`, `methods`, `prose` and `corruption`.
"""

import statistics
from collections.abc import Callable, Sequence
from pathlib import Path

from memory.records import Adapter, Evaluation
from memory.results import Goal, Result, Table, rows
from training.bench.corruption import Corruption
from training.bench.distance import FAR
from training.bench.methods import OURS, Run
from training.bench.prose import Prose
from training.bench.sequence import Learned

GOALS = {
    "lessons that passed every gate": Goal(at=">=", bound=1.0),
    "held-out wordings, mean over lessons": Goal(at=">=", bound=0.95),
    "held-out wordings less reading": Goal(at=">=", bound=0.0),
    "held-out wordings less reading the one sentence": Goal(at=">=", bound=0.0),
    "near as a share of held-out": Goal(at=">=", bound=0.90),
    "known facts lost after all lessons": Goal(at="<=", bound=0.01),
    "earlier lessons lost after all lessons": Goal(at="<=", bound=0.01),
    "rise of wrong answers about unknown words": Goal(at="<=", bound=0.0),
    "unknown words admitted": Goal(at=">=", bound=0.85),
    "calibration error of stated confidence": Goal(at="<=", bound=0.05),
    "seconds of the first lesson": Goal(at="<=", bound=90),
    "seconds of the last over linear growth": Goal(at="<=", bound=1.0),
    "corrupted pairs dropped": Goal(at=">=", bound=0.99),
    "true pairs kept": Goal(at=">=", bound=0.95),
    "unlearning: left above the base model": Goal(at="<=", bound=0.02),
    "unlearning: facts that stay, after": Goal(at=">=", bound=0.95),
}


def told(
    name: str,
    command: str,
    seconds: float,
    lessons: Sequence[Learned],
    unlearned: Learned | None,
    runs: Sequence[Run],
    false: Corruption,
    prose: Sequence[Prose],
) -> Result:
    """The whole result, without its commit and machine."""
    return Result(
        name=name,
        title="What is taught is known, and what else is lost",
        command=command,
        seconds=seconds,
        figures=figures(lessons, unlearned, runs, false),
        goals=GOALS,
        tables=(
            _sequence(lessons),
            _unlearning(unlearned),
            methods_table(
                runs,
                title="Ways of learning, at equal tokens",
                text=(
                    "One short lesson each from the base model, each seed a topic of its own: mean and"
                    " standard deviation. The rivals train at our learning rate, in as many rounds over their"
                    " examples as give as many tokens. Far are the held-out wordings that differ from every"
                    f" taught one in {FAR} words or more. The base model reads what the service would show"
                    " it, or only the one sentence that says the answer."
                ),
            ),
            _corruption(false),
            *((_prose(prose),) if prose else ()),
        ),
        plots=(f"{name}.svg",),
    )


def figures(
    lessons: Sequence[Learned], unlearned: Learned | None, runs: Sequence[Run], false: Corruption
) -> dict[str, float]:
    """Every figure by its name; shares are in [0, 1]. What is kept after all lessons is that of the adapter
    which is served in the end: the last that passed its gates, or the last of all if none did."""
    after = [lesson.adapter.after for lesson in lessons]
    first, last = lessons[0], lessons[-1]
    served = _served(lessons)
    held_out = statistics.mean(e.in_distribution.accuracy for e in after)
    near = statistics.mean(e.near.accuracy for e in after)
    learned = set(served.rehearsed)
    then = [a.after.in_distribution.accuracy for a in (x.adapter for x in lessons) if a.curriculum in learned]
    now = served.after.rehearsed
    ours = [run for run in runs if run.method == OURS.name]
    found = {
        "held-out wordings, mean over lessons": held_out,
        "held-out wordings less reading": statistics.mean(
            run.after.in_distribution.accuracy - run.reading.accuracy for run in ours
        ),
        "held-out wordings less reading the one sentence": statistics.mean(
            run.after.in_distribution.accuracy - run.told.accuracy for run in ours
        ),
        "held-out wordings of all lessons in the end": _known_in_the_end(served, len(lessons)),
        "near as a share of held-out": near / held_out if held_out else 0.0,
        "known facts lost after all lessons": known_lost(served.before, served.after),
        "rise of wrong answers about unknown words": rise(served.before, served.after),
        "unknown words admitted": served.after.unknown.abstention,
        "unknown words admitted by the base model": served.before.unknown.abstention,
        "calibration error of stated confidence": statistics.mean(_error(each.adapter) for each in lessons),
        "calibration error of token probabilities": statistics.mean(e.in_distribution.ece for e in after),
        "seconds of the first lesson": first.seconds,
        "seconds of the last over linear growth": last.seconds / (len(last.adapter.learned) * first.seconds),
        "corrupted pairs dropped": false.dropped / false.planted,
        "true pairs kept": false.kept / false.true,
        "held-out wordings said surely, mean over lessons": statistics.mean(
            lesson.adapter.let_through.right for lesson in lessons
        ),
        "wrongly said surely, mean over lessons": statistics.mean(
            lesson.adapter.let_through.wrong for lesson in lessons
        ),
        "lessons that passed every gate": statistics.mean(each.adapter.verdict.passed for each in lessons),
        "megabytes of the last adapter": last.megabytes,
    }
    if unlearned:
        found |= {f"unlearning: {name}": share for name, share in _unlearned(unlearned.adapter).items()}
    if now:
        found["earlier lessons lost after all lessons"] = statistics.mean(then) - now.accuracy
    return found | methods_figures(runs)


def _error(adapter: Adapter) -> float:
    """Of the confidence that it states; without a calibration that is the probability of its tokens."""
    return adapter.calibration.error if adapter.calibration else adapter.after.in_distribution.ece


def _served(lessons: Sequence[Learned]) -> Adapter:
    """What is live in the end."""
    passed = [each.adapter for each in lessons if each.adapter.verdict.passed]
    return passed[-1] if passed else lessons[-1].adapter


def _known_in_the_end(served: Adapter, lessons: int) -> float:
    """Accuracy over all lessons, each counted alike; one that passed no gate and was not learned counts 0."""
    earlier = served.after.rehearsed.accuracy if served.after.rehearsed else 0.0
    return (served.after.in_distribution.accuracy + earlier * len(served.rehearsed)) / lessons


def methods_figures(runs: Sequence[Run]) -> dict[str, float]:
    """The mean of every column over each method's runs."""
    return {
        f"{method}: {label}": statistics.mean(value(run) for run in runs if run.method == method)
        for method in dict.fromkeys(run.method for run in runs)
        for label, value in COLUMNS.items()
    }


COLUMNS: dict[str, Callable[[Run], float]] = {
    "held-out": lambda run: run.after.in_distribution.accuracy,
    "far": lambda run: run.far,
    "near": lambda run: run.after.near.accuracy,
    "known lost": lambda run: known_lost(run.before, run.after),
    "unknown: wrong": lambda run: run.after.unknown.hallucination,
    "rise": lambda run: rise(run.before, run.after),
    "ECE, raw": lambda run: run.after.in_distribution.ece,
    "rounds": lambda run: run.rounds,
    "tokens": lambda run: float(run.summary.tokens),
    "seconds": lambda run: run.summary.seconds,
}


def plot(lessons: Sequence[Learned], path: Path) -> None:
    """Accuracy over the lessons as an SVG image."""
    from matplotlib.figure import Figure

    after = [lesson.adapter.after for lesson in lessons]
    at = list(range(1, len(after) + 1))
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    axes.plot(
        at, [e.in_distribution.accuracy for e in after], marker="o", label="this lesson, held-out wordings"
    )
    axes.plot(at, [e.near.accuracy for e in after], marker="^", label="this lesson, near")
    axes.plot(
        [number for number, e in zip(at, after, strict=True) if e.rehearsed],
        [e.rehearsed.accuracy for e in after if e.rehearsed],
        marker="s",
        label="all earlier lessons",
    )
    kept = [1 - known_lost(each.adapter.before, each.adapter.after) for each in lessons]
    axes.plot(at, kept, marker="D", label="known before, kept")
    axes.plot(at, [e.unknown.abstention for e in after], marker="x", label="unknown: admitted")
    axes.set(xlabel="lesson", ylabel="share of questions", ylim=(0, 1.02), xticks=at)
    axes.grid(alpha=0.3)
    axes.legend(loc="lower left", fontsize="small")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)


def _sequence(lessons: Sequence[Learned]) -> Table:
    return Table(
        title="One lesson after the other",
        text=(
            "Each lesson through the worker's own job, its gates and its registry, in one domain; training"
            " goes on from the live adapter. Wordings are held out; earlier are all lessons before it that"
            " passed the gates; known is what the base model knew, and rise how much oftener than that one it"
            " is wrong about unknown words, which are others in each lesson. Said surely is what chat gives"
            " without a source, for its entropy is below the adapter's threshold. ECE is that of the"
            " confidence that it states, of answers on which that was not fitted, as is what is said surely;"
            " raw is that of its least likely tokens. The lessons in the end are known by"
            f" {_served(lessons).name}, the last adapter that passed."
        ),
        head=(
            "lesson", "held-out", "said surely", "wrong surely", "near", "earlier", "known lost",
            "unknown: admitted", "unknown: wrong", "rise", "ECE", "ECE, raw", "seconds", "tokens", "MB",
            "gates",
        ),
        rows=rows(
            [
                (
                    number,
                    e.in_distribution.accuracy,
                    lesson.adapter.let_through.right,
                    lesson.adapter.let_through.wrong,
                    e.near.accuracy,
                    e.rehearsed.accuracy if e.rehearsed else "",
                    known_lost(lesson.adapter.before, e),
                    e.unknown.abstention,
                    e.unknown.hallucination,
                    rise(lesson.adapter.before, e),
                    lesson.adapter.calibration.error if lesson.adapter.calibration else "",
                    e.in_distribution.ece,
                    round(lesson.seconds),
                    lesson.adapter.training_tokens,
                    round(lesson.megabytes, 1),
                    "; ".join(lesson.adapter.verdict.reasons) or "passed",
                )
                for number, lesson in enumerate(lessons, 1)
                for e in [lesson.adapter.after]
            ]
        ),
    )  # fmt: skip


def known_lost(before: Evaluation, after: Evaluation) -> float:
    """How much less often than the base model it is right about what that one knew."""
    return before.out_of_distribution.accuracy - after.out_of_distribution.accuracy


def rise(before: Evaluation, after: Evaluation) -> float:
    """How much oftener than the base model it is wrong about unknown words."""
    return after.unknown.hallucination - before.unknown.hallucination


def _unlearned(adapter: Adapter) -> dict[str, float]:
    """Accuracy on what was to go and on what was to stay, by whom it was asked."""
    before, after = adapter.before, adapter.after
    asked = {
        "forgotten facts, before": before.forgotten_live,
        "forgotten facts, after": after.forgotten,
        "forgotten facts, base model": before.forgotten,
        "facts that stay, after": after.in_distribution,
    }
    found = {name: score.accuracy for name, score in asked.items() if score is not None}
    if before.forgotten and after.forgotten:
        found["left above the base model"] = after.forgotten.accuracy - before.forgotten.accuracy
    return found


def _unlearning(unlearned: Learned | None) -> Table:
    text = "Nothing was forgotten, for one of the two lessons did not pass its gates."
    lines: tuple[tuple[str, ...], ...] = ()
    if unlearned is not None:
        gates = "; ".join(unlearned.adapter.verdict.reasons) or "passed"
        text = (
            "Two lessons of a domain of their own, the second forgotten again: the first is taught anew, from"
            f" the base model. Gates: {gates}."
        )
        lines = rows(list(_unlearned(unlearned.adapter).items()))
    return Table(title="Unlearning", text=text, head=("held-out wordings", "accuracy"), rows=lines)


def methods_table(runs: Sequence[Run], *, title: str, text: str) -> Table:
    """A line for each method, and two for the base model that reads."""
    found: list[tuple[object, ...]] = []
    for method in dict.fromkeys(run.method for run in runs):
        mine = [run for run in runs if run.method == method]
        found.append((method, *(_spread([value(run) for run in mine]) for value in COLUMNS.values())))
    ours = [run for run in runs if run.method == OURS.name]
    for name, values in (
        ("the base model reading the source", [run.reading.accuracy for run in ours]),
        ("the base model reading the one sentence", [run.told.accuracy for run in ours]),
    ):
        found.append((name, _spread(values), *[""] * (len(COLUMNS) - 1)))
    return Table(
        title=title,
        text=text,
        head=("method", *COLUMNS),
        rows=rows(found),
    )


def _spread(values: Sequence[float]) -> str:
    mean = statistics.mean(values)
    spread = f" ± {statistics.stdev(values):.3g}" if len(values) > 1 else ""
    return f"{mean:.0f}{spread}" if mean >= 100 else f"{mean:.3f}{spread}"


def _corruption(false: Corruption) -> Table:
    kinds = [(kind.name, kind.planted, kind.dropped) for kind in false.kinds]
    return Table(
        title="Planted falsehoods",
        text=f"{false.planted} corrupted pairs among {false.true} true ones; {false.kept} of these kept.",
        head=("corruption", "planted", "dropped"),
        rows=rows(kinds),
    )


def _prose(found: Sequence[Prose]) -> Table:
    lines: list[tuple[object, ...]] = []
    for prose in found:
        adapter = prose.learned.adapter
        before, after = adapter.before.in_distribution, adapter.after.in_distribution
        lines += [
            (
                f"{prose.name}: {prose.facts} facts from {prose.passages} passages",
                after.count,
                before.accuracy,
                after.accuracy,
                "; ".join(adapter.verdict.reasons) or "passed",
            )
        ]
        if prose.before and prose.after:
            for name, was, now in (
                ("exact", prose.before.exact, prose.after.exact),
                ("word F1", prose.before.f1, prose.after.f1),
            ):
                lines.append((f"{prose.name}: its own questions, {name}", prose.after.count, was, now, ""))
    return Table(
        title="Real prose, closed-book",
        text=(
            "Facts that the product reads from the text, in held-out wordings; and the questions that people"
            " wrote about the same text, most of which ask for what it did not read."
        ),
        head=("text", "questions", "before", "after", "gates"),
        rows=rows(lines),
    )
