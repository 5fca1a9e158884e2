"""Benchmark of the scrubber: `python -m benchmarks.privacy --data ../shared/data/pii`."""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from agent.privacy.finds import Find
from agent.privacy.policies import parse_policies
from agent.privacy.scrubbing import Scrubber
from benchmarks.privacy.presidio import load_presidio
from benchmarks.privacy.scoring import Counts, Span, count, is_held_out, total
from memory.results import Goal, Result, Table, rows, write

STRUCTURED = ("CREDIT_CARD", "EMAIL_ADDRESS", "IBAN_CODE", "IP_ADDRESS", "PHONE_NUMBER", "US_SSN")
TYPES = (*STRUCTURED, "PERSON")
GOALS = {
    "structured_recall": Goal(at=">=", bound=0.97),
    "structured_precision": Goal(at=">=", bound=0.9),
    "person_recall": Goal(at=">=", bound=0.8),
}
PLAIN = (
    "What does the release lever of the Kestrel pump do, and who may use it?",
    "Thank you! And in which year was the observatory on the hill built?",
    "Explain how borrowing works in Rust, with a short example for a beginner.",
)


class Labelled(NamedTuple):
    """A text and the spans in it that people or the generator labelled."""

    text: str
    spans: tuple[Span, ...]


class Finder(NamedTuple):
    """What found what in each text, and the milliseconds that each text took."""

    name: str
    found: tuple[Sequence[Find], ...]
    times: tuple[float, ...]


def main() -> None:
    """Runs the benchmark and writes docs/results/privacy.*."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with texts.jsonl")
    options = parser.parse_args()
    started = time.monotonic()
    try:
        texts = load(options.data / "texts.jsonl")
    except OSError as error:
        parser.error(f"{options.data} needs texts.jsonl ({error})")
    scrubber = Scrubber(parse_policies("PERSON=mask"))
    presidio = load_presidio()
    ours = measure("Nightschool", scrubber.find, texts)
    default = measure("Presidio", presidio, texts)
    write(
        result_of(texts, [ours, default], scrub_times(), f"make bench-privacy DATA={options.data}", started)
    )


def load(path: Path) -> list[Labelled]:
    """The labelled texts of a file of JSON lines."""
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [
        Labelled(
            line["text"],
            tuple(Span(s["start"], s["end"], s["type"]) for s in line["spans"] if s["type"] in TYPES),
        )
        for line in lines
    ]


def measure(name: str, find: Callable[[str], Sequence[Find]], texts: Sequence[Labelled]) -> Finder:
    """What the finder finds in each text; it is called once before, so that loading does not count."""
    find("Ada Quist: ada@example.com, 415-555-0132, card 4111 1111 1111 1111")
    found, times = [], []
    for labelled in texts:
        began = time.perf_counter()
        found.append(find(labelled.text))
        times.append((time.perf_counter() - began) * 1000)
    return Finder(name, tuple(found), tuple(times))


def scrub_times(repeats: int = 500) -> dict[str, float]:
    """Median milliseconds of one `scrub` by the default policy, which loads no language model."""
    scrubber = Scrubber()
    scrubber.warm()
    texts = {
        "ms_plain": PLAIN,
        "ms_personal": ("Write to ada.quist@example.com or call 415-555-0132, please; my card is lost.",),
    }
    medians = {}
    for name, group in texts.items():
        times = []
        for number in range(repeats):
            began = time.perf_counter()
            scrubber.scrub(group[number % len(group)])
            times.append((time.perf_counter() - began) * 1000)
        medians[name] = statistics.median(times)
    return medians


def result_of(
    texts: Sequence[Labelled],
    finders: Sequence[Finder],
    times: dict[str, float],
    command: str,
    started: float,
) -> Result:
    """The page; the first finder is ours, and `started` is the start of the run by `time.monotonic`."""
    ours = _counts(texts, finders[0], None)
    structured = total(ours[type] for type in STRUCTURED)
    held_out = _counts(texts, finders[0], True)
    held_out_structured = total(held_out[type] for type in STRUCTURED)
    figures = {
        "texts": float(len(texts)),
        "structured_recall": structured.recall or 0.0,
        "structured_precision": structured.precision or 0.0,
        "person_recall": ours["PERSON"].recall or 0.0,
        "person_precision": ours["PERSON"].precision or 0.0,
        "held_out_structured_recall": held_out_structured.recall or 0.0,
        "held_out_structured_precision": held_out_structured.precision or 0.0,
        "held_out_person_recall": held_out["PERSON"].recall or 0.0,
        "held_out_person_precision": held_out["PERSON"].precision or 0.0,
        "texts_per_second": 1000 / statistics.mean(finders[0].times),
        "presidio_texts_per_second": 1000 / statistics.mean(finders[1].times),
    } | times
    return Result(
        name="privacy",
        title="Personal data in texts",
        command=command,
        seconds=time.monotonic() - started,
        figures=figures,
        goals=GOALS,
        tables=(
            _type_table(texts, finders),
            _half_table(texts, finders[0]),
            _speed_table(finders, times),
            LIMITS,
        ),
    )


def _counts(texts: Sequence[Labelled], finder: Finder, held_out: bool | None) -> dict[str, Counts]:
    pairs = [
        (labelled.spans, [Span(f.start, f.end, f.type) for f in found if f.type in TYPES])
        for labelled, found in zip(texts, finder.found, strict=True)
        if held_out is None or is_held_out(labelled.text) == held_out
    ]
    return count(pairs, TYPES)


def _cells(counts: Counts) -> list[object]:
    shares = (counts.precision, counts.recall, counts.f2)
    return [counts.right + counts.missed, *("-" if share is None else share for share in shares)]


def _type_table(texts: Sequence[Labelled], finders: Sequence[Finder]) -> Table:
    lines: list[list[object]] = []
    for finder in finders:
        counts = _counts(texts, finder, None)
        lines += [[finder.name, type, *_cells(counts[type])] for type in TYPES]
        lines.append([finder.name, "all but PERSON", *_cells(total(counts[type] for type in STRUCTURED))])
    return Table(
        title="By type",
        text="A find counts if a labelled span of the same type overlaps it by at least half (intersection"
        " over union), each span once. F2 weighs recall twice. Presidio runs with its default recognisers on"
        " the same spaCy model (en_core_web_sm).",
        head=("finder", "type", "spans", "precision", "recall", "F2"),
        rows=rows(lines),
    )


def _half_table(texts: Sequence[Labelled], finder: Finder) -> Table:
    lines: list[list[object]] = []
    for name, held_out in (("seen", False), ("held out", True)):
        counts = _counts(texts, finder, held_out)
        lines.append([name, "all but PERSON", *_cells(total(counts[type] for type in STRUCTURED))])
        lines.append([name, "PERSON", *_cells(counts["PERSON"])])
    return Table(
        title="Seen and held out",
        text="Texts are split into halves by a hash. Errors were looked at in the first half only, and mended"
        " by kind: formats, check digits, labels before a number, words around a name.",
        head=("half", "types", "spans", "precision", "recall", "F2"),
        rows=rows(lines),
    )


def _speed_table(finders: Sequence[Finder], times: dict[str, float]) -> Table:
    lines: list[list[object]] = [
        [f"{finder.name}, all types", 1000 / statistics.mean(finder.times), statistics.median(finder.times)]
        for finder in finders[:2]
    ]
    names = {
        "ms_plain": "questions without personal data",
        "ms_personal": "an e-mail address and a phone number",
    }
    lines += [[f"Nightschool, default policy: {names[key]}", 1000 / ms, ms] for key, ms in times.items()]
    return Table(
        title="Speed",
        text="One thread. By default names are kept, no language model runs, and a text without digits and"
        " `@` is not analysed at all: a chat turn waits for no more.",
        head=("what", "texts/s", "median ms"),
        rows=rows(lines),
    )


LIMITS = Table(
    title="What this cannot do",
    text="The texts are synthetic (presidio-research, templates filled with generated values) and English;"
    " some templates of the held-out half also stand in the other. Both make the figures better than those on"
    " your users' texts will be.",
    head=("kind", "why"),
    rows=(
        (
            "names",
            "The small model finds names by their place in an English sentence. It misses lower-case names,"
            " names alone on a line and names of other scripts, and takes companies, towns and products for"
            " names. By default names are kept: a question about a person could not be learned without the"
            " name, and no model tells a neighbour from a head of state. Never promise that no name is"
            " stored.",
        ),
        (
            "addresses, employers, ages, dates of birth",
            "Not looked for: 325 street addresses, 222 places and 132 organisations in these texts stay.",
        ),
        (
            "national ids",
            "Only US social security numbers are in these texts. Others (28 countries) are found by their"
            " check digits, which unit tests show on published examples, not on people's texts.",
        ),
        ("numbers without form", "A phone number without label, country code or national format is left."),
    ),
)


if __name__ == "__main__":
    main()
