"""What sources, teaching and growing cost: `python -m benchmarks.cost`, or `make bench-cost`.

Arithmetic over what the other benchmarks measured, which is in docs/results; nothing runs and nothing is
simulated. Energy is processor time times a power that the reader gives, because the machines that measure
have no meter.
"""

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from agent.growth import plan
from benchmarks.capacity.plan import Load
from memory.results import FOLDER, Result, Table, rows, write

WATTS = 30.0
"""Of two server cores with their share of memory and cooling; an assumption, see `--watts`."""
TOKENS = Load().tokens
"""Of an answer."""
QUESTIONS = (1, 10, 50, 200, 1000, 10_000)
SOURCES = {name: (source.result, source.figure) for name, source in plan.SOURCES.items()} | {
    "small_tokens": ("study/smollm2-135m", "tokens_per_second_batched"),
    "large_tokens": ("study/gemma-3-270m", "tokens_per_second_batched"),
    "one_taught": ("learning", "squad, one passage a lesson: closed-book"),
    "one_before": ("learning", "squad, one passage a lesson: base closed-book"),
    "ten_before": ("learning", "squad, 10 passages: base closed-book"),
    "ten_reading_before": ("learning", "squad, 10 passages: base with sources"),
    "ten_reading": ("learning", "squad, 10 passages: with sources"),
    "lessons": ("grow", "lessons"),
}
"""The result and the figure in it behind each coefficient: those of `nightschool models plan`, and more."""


@dataclass(frozen=True)
class Coefficients:
    """What was measured: seconds are of two cores, shares of people's questions on SQuAD."""

    passages_read: float
    """A second, with facts and vectors."""
    teach_seconds: float
    """Of training and measuring, per passage, on the small base."""
    grow_seconds: float
    """The same on the large base."""
    small_tokens: float
    """Tokens a second of the small base, batched."""
    large_tokens: float
    sources_right: float
    one_taught: float
    one_before: float
    taught_right: float
    """After lessons of 10 passages, without sources."""
    ten_before: float
    ten_reading_before: float
    ten_reading: float
    moved: float
    lessons: float
    kept_right: float
    """Of the small base, without sources."""
    grown_right: float
    """Of the large one, on the same questions."""


def read_coefficients(folder: Path) -> Coefficients:
    """The coefficients, from the results of other benchmarks. Raises FileNotFoundError or KeyError."""
    found: dict[str, float] = {}
    documents: dict[str, Mapping[str, float]] = {}
    for name in (field.name for field in fields(Coefficients)):
        result, figure = SOURCES[name]
        if result not in documents:
            documents[result] = json.loads((folder / f"{result}.json").read_text("utf-8"))["figures"]
        found[name] = float(documents[result][figure])
    return Coefficients(**found)


def minutes(questions: int, known: Coefficients) -> dict[str, float]:
    """Minutes until so many questions, each with a passage of its own, can be answered in each way."""
    return {
        "sources": questions / known.passages_read / 60,
        "teach": questions * known.teach_seconds / 60,
        "grow": questions * (known.teach_seconds + known.grow_seconds) / 60,
        "start large": questions * known.grow_seconds / 60,
    }


def turns_to_pay(questions: int, known: Coefficients, tokens: int = TOKENS) -> float:
    """Turns that the small base must answer before growing has cost no more than starting large.

    Growing trains every lesson twice; until then each answer is cheaper on the small base. Infinite if it
    is not.
    """
    saved = tokens * (1 / known.large_tokens - 1 / known.small_tokens)
    return questions * known.teach_seconds / saved if saved > 0 else float("inf")


def answer_seconds(known: Coefficients, tokens: int = TOKENS) -> dict[str, float]:
    """Seconds of the machine for an answer of each base, batched."""
    return {"small": tokens / known.small_tokens, "large": tokens / known.large_tokens}


def kilowatt_hours(seconds: float, watts: float) -> float:
    """Energy of so many seconds at so many watts."""
    return seconds * watts / 3_600_000


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes docs/results/cost.md, .json and .svg; returns the exit code."""
    options = _options(arguments)
    started = time.monotonic()
    try:
        known = read_coefficients(options.results)
    except (FileNotFoundError, KeyError) as error:
        print(f"a figure is missing: {error}; run the benchmark that measures it first", file=sys.stderr)
        return 1
    plot(known, options.results / "cost.svg")
    write(page(known, options.watts, time.monotonic() - started), options.results)
    print((options.results / "cost.md").read_text(encoding="utf-8"))
    return 0


def page(known: Coefficients, watts: float, seconds: float) -> Result:
    """The page."""
    answers = answer_seconds(known)
    moved = known.moved > 0
    return Result(
        name="cost",
        title="What sources, teaching and growing cost",
        command="make bench-cost" if watts == WATTS else f"make bench-cost WATTS={watts:g}",
        seconds=seconds,
        figures={
            "minutes to read 200 passages": minutes(200, known)["sources"],
            "minutes to teach 200 passages": minutes(200, known)["teach"],
            "minutes to teach 200 passages, then grow": minutes(200, known)["grow"],
            "turns until growing costs no more than starting large, 200 passages": turns_to_pay(200, known),
            "seconds of an answer, small base": answers["small"],
            "seconds of an answer, large base": answers["large"],
            "Wh to teach a passage": 1000 * kilowatt_hours(known.teach_seconds, watts),
            "Wh of 1,000 answers, small base": 1e6 * kilowatt_hours(answers["small"], watts),
            "Wh of 1,000 answers, large base": 1e6 * kilowatt_hours(answers["large"], watts),
        },
        goals={},
        plots=("cost.svg",),
        tables=(
            Table(
                title="Minutes by questions",
                text="The small base is SmolLM2-135M, the large one Gemma 3 270M. Each question has a passage"
                " of its own. Sources are read, with facts and vectors; teaching trains and gates lessons on"
                " the small base; growing teaches them again on the large one; starting large teaches them"
                " there alone.",
                head=("questions", "sources", "teach", "grow", "start large", "kWh of growing"),
                rows=rows(
                    [
                        (
                            f"{count:,}",
                            *(f"{value:,.1f}" for value in minutes(count, known).values()),
                            f"{kilowatt_hours(minutes(count, known)['grow'] * 60, watts):,.3f}",
                        )
                        for count in QUESTIONS
                    ]
                ),
            ),
            Table(
                title="When growing beats starting large",
                text=f"In training it never does: the small base's lessons are paid besides. It does once the"
                f" small base has answered so many turns of {TOKENS} tokens, each of which costs"
                f" {answers['small']:.2f} s there and {answers['large']:.2f} s on the large base."
                + (
                    ""
                    if moved
                    else f" On these two bases neither way worked: the large one's gates rejected"
                    f" {known.lessons:g} of {known.lessons:g} lessons."
                ),
                head=("passages taught", "turns"),
                rows=rows([(f"{count:,}", f"{turns_to_pay(count, known):,.0f}") for count in QUESTIONS]),
            ),
            Table(
                title="When learning loses to retrieval",
                text=f"Shares of people's questions answered rightly. {_against_sources(known)}",
                head=("what", "before", "after learning"),
                rows=rows(
                    [
                        ("one passage a lesson, no sources", known.one_before, known.one_taught),
                        ("10 passages a lesson, no sources", known.ten_before, known.taught_right),
                        (
                            "10 passages a lesson, the model reads the sources",
                            known.ten_reading_before,
                            known.ten_reading,
                        ),
                        ("the service, quoting its sources", known.sources_right, ""),
                        ("the large base, no sources", "", known.grown_right),
                        ("the small base, the same questions", "", known.kept_right),
                    ]
                ),
            ),
            Table(
                title="Energy",
                text=f"At {watts:g} W for two cores with their share of memory and cooling, which is an"
                " assumption (`WATTS=`): the seconds are measured.",
                head=("what", "seconds", "Wh"),
                rows=rows(
                    [
                        (name, f"{value:,.2f}", f"{1000 * kilowatt_hours(value, watts):,.4f}")
                        for name, value in (
                            ("read a passage", 1 / known.passages_read),
                            ("teach a passage to the small base", known.teach_seconds),
                            ("teach a passage to the large base", known.grow_seconds),
                            ("an answer of the small base", answers["small"]),
                            ("an answer of the large base", answers["large"]),
                        )
                    ]
                ),
            ),
            Table(
                title="Coefficients",
                text="Each was measured by the command on its page.",
                head=("coefficient", "value", "page", "figure"),
                rows=rows(
                    [
                        (name, value, f"{SOURCES[name][0]}.md", SOURCES[name][1])
                        for name, value in asdict(known).items()
                    ]
                ),
            ),
        ),
    )


def _against_sources(known: Coefficients) -> str:
    """Whether lessons of any size that was measured answer as many questions as the sources."""
    sizes = {"one passage": known.one_taught, "10 passages": known.taught_right}
    enough = [size for size, right in sizes.items() if right >= known.sources_right]
    if enough:
        return f"Without sources, lessons of {' and of '.join(enough)} answer as many as the sources do."
    return (
        f"Without sources, lessons of {' and of '.join(sizes)} answer fewer than the sources do:"
        " learning pays for questions that come without their sources, and where the model then reads better."
    )


def plot(known: Coefficients, path: Path) -> None:
    """Plots minutes against questions, and turns until growing pays."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.5), layout="constrained")
    cost, pay = figure.subplots(1, 2)
    for way in minutes(1, known):
        cost.loglog(QUESTIONS, [minutes(count, known)[way] for count in QUESTIONS], marker="o", label=way)
    cost.set_xlabel("questions, a passage each")
    cost.set_ylabel("minutes")
    cost.legend()
    pay.loglog(QUESTIONS, [turns_to_pay(count, known) for count in QUESTIONS], marker="o")
    pay.set_xlabel("passages taught")
    pay.set_ylabel("turns until growing costs\nno more than starting large")
    figure.savefig(path, metadata={"Date": None})


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cost", description=__doc__)
    parser.add_argument("--watts", type=_positive, default=WATTS, help="power of the machine (default: 30)")
    parser.add_argument("--results", type=Path, default=FOLDER, help=f"folder of results (default: {FOLDER})")
    return parser.parse_args(arguments)


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError("give a number above 0")
    return value


if __name__ == "__main__":
    sys.exit(main())
