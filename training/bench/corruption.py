"""Owns the benchmark of verification: how many planted falsehoods a curriculum would take in.

It corrupts pairs and facts whose truth is known; what verification looks at is in `agent.verify`.
"""

import random
import re
from collections.abc import Callable, Sequence

from agent.curriculum import opening, write
from agent.verify import verify
from memory.records import Fact, Passage, QAPair, Record
from training.bench.topics import Topic

TRUE, FALSE = 400, 200
TOPICS = 20
"""Whose pairs give that many."""
WORDINGS = 12

Corrupt = Callable[[QAPair, Fact, Sequence[Fact], random.Random], QAPair]
Misread = Callable[[Fact, Sequence[Fact], random.Random], Fact]


class Kind(Record):
    """One way of corrupting pairs: how many were planted, and how many of them verification dropped."""

    name: str
    planted: int
    dropped: int


class Corruption(Record):
    """What verification did with true and with corrupted pairs."""

    true: int
    kept: int
    """Of the true ones."""
    kinds: tuple[Kind, ...]
    missed: tuple[QAPair, ...]
    """Corrupted ones that it let through."""

    @property
    def planted(self) -> int:
        """Corrupted pairs of all kinds."""
        return sum(kind.planted for kind in self.kinds)

    @property
    def dropped(self) -> int:
        """Of the corrupted ones."""
        return sum(kind.dropped for kind in self.kinds)


def measure(topics: Sequence[Topic], *, seed: int = 0) -> Corruption:
    """Plants FALSE corrupted pairs among TRUE true ones and verifies them together.

    Half of them are pairs at odds with their fact, as a bad teacher would write them; the other half follow
    from a fact that its source does not state, as from a bad reader. The true ones are the deterministic
    teacher's, so what is kept of them shows no more than that teacher and verifier agree. Raises ValueError
    where the topics give too few pairs.
    """
    rng = random.Random(f"corruption {seed}")
    each = FALSE // (len(CORRUPTIONS) + len(MISREADINGS))
    facts = tuple(fact for topic in topics for fact in topic.facts)
    passages: dict[str, Passage] = {p.id: p for topic in topics for p in topic.passages}
    draft = write(facts, per_form=WORDINGS)
    by_id = {fact.id: fact for fact in draft.facts}
    if len(draft.pairs) < TRUE + FALSE:
        raise ValueError(f"the topics give {len(draft.pairs)} pairs, and {TRUE + FALSE} are needed")
    counted = rng.sample([pair for pair in draft.pairs if _NUMBER.search(pair.answer)], each)
    misread: list[Fact] = []
    true, *others = _dealt([pair for pair in draft.pairs if pair not in counted], each, rng)
    planted: list[tuple[str, QAPair]] = []
    for name, corrupt in CORRUPTIONS.items():
        for pair in counted if corrupt is changed_number else others.pop():
            corrupted = corrupt(pair, by_id[pair.fact_id], draft.facts, rng)
            assert corrupted != pair, f"{name} left a pair as it was"
            planted.append((name, corrupted))
    for name, misreading in MISREADINGS.items():
        fitting = [f for f in draft.facts if misreading is not number_misread or _NUMBER.search(f.object)]
        for fact in rng.choices(fitting, k=each):
            false = misreading(fact, draft.facts, rng).model_copy(update={"id": f"misread {len(misread)}"})
            if misreading is negation_misread:
                denying = {"id": false.id, "text": false.sentence}
                passages[false.id] = passages[fact.passage_id].model_copy(update=denying)
                false = false.model_copy(update={"passage_id": false.id})
            assert false.model_copy(update={"id": fact.id}) != fact, f"{name} left a fact as it was"
            misread.append(false)
            planted.append((name, rng.choice(write([false], per_form=WORDINGS).pairs)))
    kept = set(verify([*true, *(pair for _, pair in planted)], [*facts, *misread], passages).kept)
    return Corruption(
        true=len(true),
        kept=sum(pair in kept for pair in true),
        kinds=tuple(
            Kind(
                name=name,
                planted=sum(n == name for n, _ in planted),
                dropped=sum(n == name and pair not in kept for n, pair in planted),
            )
            for name in (*CORRUPTIONS, *MISREADINGS)
        ),
        missed=tuple(pair for _, pair in planted if pair in kept),
    )


def swapped_object(pair: QAPair, fact: Fact, facts: Sequence[Fact], rng: random.Random) -> QAPair:
    """The answer that another fact gives to the same form of question."""
    if pair.form == "yes_no":
        return pair.model_copy(update={"answer": "No" if pair.answer == "Yes" else "Yes"})
    other = _another(fact, facts, rng)
    answers = {"term_for": other.subject, "kind_of": opening(other.object)}
    return pair.model_copy(update={"answer": answers.get(pair.form, other.object)})


def negated(pair: QAPair, fact: Fact, facts: Sequence[Fact], rng: random.Random) -> QAPair:
    """The opposite of the answer."""
    if pair.form == "yes_no":
        return swapped_object(pair, fact, facts, rng)
    return pair.model_copy(update={"answer": f"not {pair.answer}"})


def changed_number(pair: QAPair, fact: Fact, facts: Sequence[Fact], rng: random.Random) -> QAPair:
    """Another number in the answer, in figures or in words as it was; only for an answer that holds one."""
    return pair.model_copy(update={"answer": _recounted(pair.answer, rng)})


def another_entity(pair: QAPair, fact: Fact, facts: Sequence[Fact], rng: random.Random) -> QAPair:
    """The question asked about another thing, the answer left as it was."""
    other = _another(fact, facts, rng)
    was, now = (fact.object, other.object) if pair.form == "term_for" else (fact.subject, other.subject)
    question = re.sub(re.escape(was), lambda _: now, pair.question, flags=re.IGNORECASE)
    return pair.model_copy(update={"question": question})


def not_in_the_source(pair: QAPair, fact: Fact, facts: Sequence[Fact], rng: random.Random) -> QAPair:
    """A quote that the source does not hold, with an answer that follows from the quote."""
    claim = _claim(rng)
    return pair.model_copy(update={"answer": claim, "quote": f"{fact.subject} is {claim}."})


def object_misread(fact: Fact, facts: Sequence[Fact], rng: random.Random) -> Fact:
    """Another fact's object."""
    return fact.model_copy(update={"object": _another(fact, facts, rng).object})


def negation_misread(fact: Fact, facts: Sequence[Fact], rng: random.Random) -> Fact:
    """A sentence that denies it, read as if it did not; a passage is to hold that sentence."""
    return fact.model_copy(
        update={"relation": "definition", "sentence": f"{fact.subject} is not {fact.object}."}
    )


def number_misread(fact: Fact, facts: Sequence[Fact], rng: random.Random) -> Fact:
    """Another number; only for an object that holds one."""
    return fact.model_copy(update={"object": _recounted(fact.object, rng)})


def entity_misread(fact: Fact, facts: Sequence[Fact], rng: random.Random) -> Fact:
    """Another fact's subject."""
    return fact.model_copy(update={"subject": _another(fact, facts, rng).subject})


def made_up(fact: Fact, facts: Sequence[Fact], rng: random.Random) -> Fact:
    """A sentence that the source does not hold."""
    claim = _claim(rng)
    return fact.model_copy(
        update={"relation": "definition", "object": claim, "sentence": f"{fact.subject} is {claim}."}
    )


def _claim(rng: random.Random) -> str:
    return f"{rng.choice(_CLAIMS)} of the {rng.randrange(12, 20)}th century"


def _recounted(text: str, rng: random.Random) -> str:
    """Another number in it, in figures or in words as it was."""
    found = _NUMBER.search(text)
    assert found is not None, "it was picked for its number"
    was = found.group().lower()
    now = (
        str(int(was) + rng.randrange(1, 99)) if was.isdigit() else rng.choice([w for w in _WORDS if w != was])
    )
    return f"{text[: found.start()]}{now}{text[found.end() :]}"


def _dealt(pairs: Sequence[QAPair], each: int, rng: random.Random) -> list[list[QAPair]]:
    """TRUE pairs, and as many times `each` as there are corruptions that fit any pair; all different."""
    kinds = len(CORRUPTIONS) - 1
    drawn = rng.sample(pairs, TRUE + kinds * each)
    return [drawn[:TRUE], *(drawn[TRUE + n * each : TRUE + (n + 1) * each] for n in range(kinds))]


def _another(fact: Fact, facts: Sequence[Fact], rng: random.Random) -> Fact:
    """A fact about another subject with another object, of the same relation if there is one."""
    others = [f for f in facts if f.subject != fact.subject and f.object != fact.object]
    return rng.choice([f for f in others if f.relation == fact.relation] or others)


CORRUPTIONS: dict[str, Corrupt] = {
    "object swapped": swapped_object,
    "negated": negated,
    "number changed": changed_number,
    "another entity": another_entity,
    "not in the source": not_in_the_source,
}
MISREADINGS: dict[str, Misread] = {
    "fact: object swapped": object_misread,
    "fact: negated": negation_misread,
    "fact: number changed": number_misread,
    "fact: another entity": entity_misread,
    "fact: not in the source": made_up,
}
_WORDS = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "twelve", "hundred")
_NUMBER = re.compile(rf"\b(\d+|{'|'.join(_WORDS)})\b", re.IGNORECASE)
_CLAIMS = ("a dance", "a coin", "a musical instrument", "a tax", "a garment", "a weapon", "a card game")
