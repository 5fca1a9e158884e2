"""Benchmark of facts: `python -m benchmarks.facts`. It needs no data but the labels beside it."""

import time
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from benchmarks.facts.labels import LabelledSentence, labelled_sentences
from benchmarks.facts.matching import KINDS, Match, kind_of_fact, kind_of_label, match
from benchmarks.facts.pairs import KINDS as CONFLICTS
from benchmarks.facts.pairs import Found, find, load_pairs
from memory.ingest.propositions.facts import extract_facts
from memory.records.knowledge import Fact
from memory.results import Goal, Result, Table, rows, write

GOALS = {
    "held_out_precision": Goal(at=">=", bound=0.85),
    "contradictions_found": Goal(at=">=", bound=0.9),
    "false_alarms": Goal(at="<=", bound=0.02),
}
PRONOUNS = frozenset({"he", "she", "it", "they", "his", "her", "its", "their", "this", "these", "you", "we"})


class Scored(NamedTuple):
    """A labelled sentence with what was extracted from it."""

    sentence: LabelledSentence
    facts: tuple[Fact, ...]
    match: Match


def main() -> None:
    """Runs the benchmark and writes docs/results/facts.*."""
    started = time.monotonic()
    scored = [score(sentence) for sentence in labelled_sentences()]
    found = find(load_pairs())
    write(result_of(scored, found, time.monotonic() - started))


def score(sentence: LabelledSentence) -> Scored:
    """Extracts the sentence's facts, as from a document of its own, and compares them with its labels.

    What an abbreviation stands for was not labelled, and is left out.
    """
    facts = tuple(fact for fact in extract_facts([sentence.passage()]) if fact.rule != "abbreviation")
    return Scored(sentence, facts, match(facts, sentence.facts))


def result_of(scored: Sequence[Scored], found: Sequence[Found], seconds: float) -> Result:
    """The page."""
    halves = {False: [s for s in scored if not s.sentence.held_out]}
    halves[True] = [s for s in scored if s.sentence.held_out]
    planted = [each for each in found if each.pair.kind is not None]
    consistent = [each for each in found if each.pair.kind is None]
    figures = {
        "sentences": float(len(scored)),
        "held_out_precision": _share(*_precision(halves[True])),
        "held_out_recall": _share(*_recall(halves[True])),
        "tuning_precision": _share(*_precision(halves[False])),
        "tuning_recall": _share(*_recall(halves[False])),
        "precision": _share(*_precision(scored)),
        "recall": _share(*_recall(scored)),
        "contradictions_planted": float(len(planted)),
        "contradictions_found": _share(sum(each.kind is not None for each in planted), len(planted)),
        "consistent_pairs": float(len(consistent)),
        "false_alarms": _share(sum(each.kind is not None for each in consistent), len(consistent)),
    }
    return Result(
        name="facts",
        title="Facts and contradictions",
        command="make bench-facts",
        seconds=seconds,
        figures=figures,
        goals=GOALS,
        tables=(_kind_table(halves), _source_table(scored), _conflict_table(found), LIMITS),
    )


def _precision(scored: Sequence[Scored]) -> tuple[int, int]:
    return sum(sum(s.match.right) for s in scored), sum(len(s.facts) for s in scored)


def _recall(scored: Sequence[Scored]) -> tuple[int, int]:
    return sum(sum(s.match.found) for s in scored), sum(len(s.sentence.facts) for s in scored)


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _cells(part: int, whole: int) -> list[object]:
    return [whole, part / whole if whole else "-"]


def _kind_table(halves: dict[bool, list[Scored]]) -> Table:
    lines: list[list[object]] = []
    for held_out, scored in sorted(halves.items()):
        right, every, met, labelled = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
        for sentence, facts, matched in scored:
            for fact, is_right in zip(facts, matched.right, strict=True):
                every[kind_of_fact(fact)] += 1
                right[kind_of_fact(fact)] += is_right
            for label, is_found in zip(sentence.facts, matched.found, strict=True):
                labelled[kind_of_label(label)] += 1
                met[kind_of_label(label)] += is_found
        half = "held out" if held_out else "tuning"
        lines += [[half, k, *_cells(right[k], every[k]), *_cells(met[k], labelled[k])] for k in KINDS]
        lines.append([half, "all", *_cells(*_precision(scored)), *_cells(*_recall(scored))])
    return Table(
        title="By kind of relation",
        text="Sentences of public data, drawn by a seeded script and labelled by hand before anything was"
        " extracted from them, but for what abbreviations stand for; halves by a hash of the text. An"
        " extracted fact is right if the sentence says all of it, with the same subject and verb, and it lost"
        " no number, negation, modal verb or condition. A label is found if right facts have half of its"
        " words. Each sentence is read alone, with its document's title.",
        head=("half", "kind", "extracted", "precision", "labelled", "recall"),
        rows=rows(lines),
    )


def _source_table(scored: Sequence[Scored]) -> Table:
    groups = {name: [s for s in scored if s.sentence.set == name] for name in _sets(scored)}
    starts = [s for s in scored if s.sentence.text.split()[0].lower() in PRONOUNS]
    groups["first word a pronoun"] = starts
    groups["first word not a pronoun"] = [s for s in scored if s not in starts]
    return Table(
        title="By source",
        text="Both halves. A sentence that begins with a pronoun mostly needs the sentence before it, which"
        " it has in a document and not here.",
        head=("sentences", "extracted", "precision", "labelled", "recall"),
        rows=rows([[k, *_cells(*_precision(g)), *_cells(*_recall(g))] for k, g in groups.items()]),
    )


def _sets(scored: Sequence[Scored]) -> list[str]:
    return list(dict.fromkeys(s.sentence.set for s in scored))


def _conflict_table(found: Sequence[Found]) -> Table:
    lines: list[list[object]] = []
    for kind in CONFLICTS:
        planted = [each for each in found if each.pair.kind == kind]
        read = sum(each.read for each in planted)
        lines.append([kind, len(planted), read, sum(each.kind is not None for each in planted)])
    consistent = [each for each in found if each.pair.kind is None]
    read, alarms = sum(each.read for each in consistent), sum(each.kind is not None for each in consistent)
    lines.append(["none (false alarms)", len(consistent), read, alarms])
    return Table(
        title="Contradictions",
        text="Pairs of sentences of two documents, written after sentences of the data, read by the extractor"
        " and compared in a memory that holds all consistent pairs and one contradicting pair at a time. What"
        " the extractor does not read cannot be found. Consistent pairs were written to mislead: other"
        " objects of one relation, other conditions, years, units and places, more exact dates, estimates."
        " The detector was developed on these pairs, so expect somewhat less on yours.",
        head=("planted", "pairs", "both read", "reported"),
        rows=rows(lines),
    )


LIMITS = Table(
    title="What this cannot do",
    text="Precision comes first: a fact that is not sure is left out, and search by words and meaning still"
    " finds its sentence.",
    head=("kind", "why"),
    rows=(
        ("verbs without an object", "`Each lookup will be cached` has no object to make an edge to."),
        ("pronouns in doubt", "A pronoun with two possible antecedents is not resolved."),
        ("long objects", "An object of more than 16 words would never be looked up."),
        ("nouns with a verb's meaning", "`the release of the album by Columbia` is not read as a release."),
        (
            "other units",
            "`3 m` and `9.8 feet` are not compared; nor are places, of which one may be in the other.",
        ),
    ),
)


if __name__ == "__main__":
    main()
