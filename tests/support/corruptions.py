"""Corrupts natural pairs in nine ways, each of which verification should notice; seeded."""

import random
import re
from collections.abc import Callable

from agent.learning.candidate_pairs import CandidatePair
from agent.learning.text_analysis import analyse
from memory.records.knowledge import Passage
from tests.support.facts import passage
from tests.support.natural_pairs import BY_ID, NATURAL, PASSAGES, check

Corruption = Callable[[CandidatePair, Passage, random.Random], tuple[CandidatePair, Passage] | None]


COUNT = 25
"""Corruptions of each kind."""
ODD = "Otter Kingsley"


def swapped_object(
    pair: CandidatePair, home: Passage, rng: random.Random
) -> tuple[CandidatePair, Passage] | None:
    """The answer becomes another value of its kind: out of the quote if there is one, else of the passage."""
    answer = analyse(pair.answer)
    if len(answer.values) != 1 or pair.form == "yes_no":
        return None
    own = answer.values[0]
    for text in (pair.quote, home.text):
        found = analyse(text)
        others = [
            text[found.tokens[v.first].start : found.tokens[v.last - 1].end]
            for v in found.values
            if v.kind == own.kind and not found.words(v) & answer.roots
        ]
        others = [o for o in others if not analyse(o).roots & analyse(pair.question).roots]
        if others:
            return pair.model_copy(update={"answer": rng.choice(others)}), home
    return None


def negated_question(
    pair: CandidatePair, home: Passage, rng: random.Random
) -> tuple[CandidatePair, Passage] | None:
    if re.search(r"\bnot?\b|nobody|never", pair.question):
        changed = re.sub(r"\bnot |\bnever ", "", pair.question)
    else:
        auxiliary = r"\b(do|does|did|is|was|were|are|can|could|may|will|should|have to|need|put|gave|melts) "
        changed = re.sub(auxiliary, r"\1 not ", pair.question, count=1)
    return (pair.model_copy(update={"question": changed}), home) if changed != pair.question else None


def negated_answer(
    pair: CandidatePair, home: Passage, rng: random.Random
) -> tuple[CandidatePair, Passage] | None:
    if pair.form == "yes_no":
        return pair.model_copy(update={"answer": "no" if pair.answer == "yes" else "yes"}), home
    return pair.model_copy(
        update={"answer": f"{rng.choice(('not', 'never', 'anything but'))} {pair.answer}"}
    ), home


def changed_number(
    pair: CandidatePair, home: Passage, rng: random.Random
) -> tuple[CandidatePair, Passage] | None:
    for field in rng.sample(("question", "answer"), 2):
        text = getattr(pair, field)
        digits = list(re.finditer(r"\d", text))
        if digits:
            place = rng.choice(digits).start()
            digit = str((int(text[place]) + rng.randrange(1, 9)) % 10)
            return pair.model_copy(update={field: text[:place] + digit + text[place + 1 :]}), home
    return None


def other_entity(
    pair: CandidatePair, home: Passage, rng: random.Random
) -> tuple[CandidatePair, Passage] | None:
    """A name in the question becomes another one: of this passage, of another, or of none."""
    question = analyse(pair.question)
    names = [v for v in question.values if v.kind == "name"]
    if not names:
        return None
    own = rng.choice(names)
    start, end = question.tokens[own.first].start, question.tokens[own.last - 1].end
    pool: list[str] = []
    for source in (home, rng.choice([p for p in PASSAGES if p.id != home.id])):
        found = analyse(source.text)
        pool += [
            source.text[found.tokens[v.first].start : found.tokens[v.last - 1].end]
            for v in found.values
            if v.kind == "name" and not found.words(v) & (question.roots | analyse(pair.answer).roots)
        ]
    name = rng.choice([*pool, ODD])
    return pair.model_copy(update={"question": pair.question[:start] + name + pair.question[end:]}), home


def absent_answer(
    pair: CandidatePair, home: Passage, rng: random.Random
) -> tuple[CandidatePair, Passage] | None:
    others = [p for p in NATURAL if p.passage_id != pair.passage_id and p.form != "yes_no"]
    answer = rng.choice(others).answer
    return (pair.model_copy(update={"answer": answer}), home) if answer not in pair.quote else None


def altered_quote(
    pair: CandidatePair, home: Passage, rng: random.Random
) -> tuple[CandidatePair, Passage] | None:
    words = pair.quote.split()
    words[rng.randrange(len(words))] = rng.choice(("almost", "Quentin", "seventy", "the"))
    quote = " ".join(words)
    return (pair.model_copy(update={"quote": quote}), home) if quote != pair.quote else None


def garbled(pair: CandidatePair, home: Passage, rng: random.Random) -> tuple[CandidatePair, Passage] | None:
    """The quote's lines and those of a neighbouring sentence, as two columns read straight across."""
    others = [s for s in re.split(r"(?<=\.) ", home.text) if s != pair.quote and len(s.split()) > 8]
    width = rng.randrange(3, 6)
    if not others or len(pair.quote.split()) <= 2 * width:
        return None
    left, right = _lines(pair.quote, width), _lines(rng.choice(others), width)
    rows = max(len(left), len(right))
    mixed = " ".join(part for i in range(rows) for part in (*left[i : i + 1], *right[i : i + 1]))
    text = home.text.replace(pair.quote, mixed)
    changed = passage(text, source=home.source, title=home.title)
    return pair.model_copy(update={"quote": mixed, "passage_id": changed.id}), changed


def dropped_unit(
    pair: CandidatePair, home: Passage, rng: random.Random
) -> tuple[CandidatePair, Passage] | None:
    units = r"metres|grams|seconds|euros|litres|days|degrees Celsius"
    bare = re.sub(rf"(?<=\d)\s?(?:%|million|(?:square )?(?:{units}))$|^£(?=\d)", "", pair.answer)
    return (pair.model_copy(update={"answer": bare}), home) if bare != pair.answer else None


def _lines(text: str, width: int) -> list[str]:
    words = text.split()
    return [" ".join(words[i : i + width]) for i in range(0, len(words), width)]


KINDS: dict[str, Corruption] = {
    corrupt.__name__: corrupt
    for corrupt in (
        swapped_object, negated_question, negated_answer, changed_number, other_entity, absent_answer,
        altered_quote, garbled, dropped_unit,
    )
}  # fmt: skip


def corrupted(kind: str, count: int = COUNT) -> list[tuple[CandidatePair, Passage]]:
    """Distinct corruptions of one kind, as many as there are up to `count`."""
    rng = random.Random(kind)
    found: dict[CandidatePair, Passage] = {}
    for _ in range(8):
        for pair in rng.sample(NATURAL, len(NATURAL)):
            made = KINDS[kind](pair, BY_ID[pair.passage_id], rng)
            if made is not None and len(found) < count:
                found.setdefault(*made)
    return list(found.items())


def survivors(kind: str, count: int = COUNT) -> tuple[list[CandidatePair], int]:
    made = corrupted(kind, count)
    kept = []
    for candidate, home in made:
        places = [home if p.source == home.source else p for p in PASSAGES]
        kept += check(candidate, passages=PASSAGES if home in PASSAGES else places).kept
    return kept, len(made)
