"""Owns what is trained on and what is asked afterwards, and that the two never overlap.

Deterministic by curriculum and seed; nothing is asked here. What is replayed beside a lesson is in `replay`.
"""

import hashlib
import itertools
import random
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from agent.cores import CORES, Split
from agent.curriculum import IMPLIED, Item, head, items, kinds, times
from agent.scoring import normalise
from agent.wordings import ask, wordings
from memory.records import Curriculum, Digest, Form, QAPair, Record, digest_of
from training.disturb import disturb
from training.errors import CurriculumRefused
from training.evaluate import Question, Sets
from training.recipes import Recipe
from training.seed.bank import BankFact, asked_for
from training.trainer import Example

NAMING: frozenset[Form] = frozenset({"term_for", "example_of"})
"""Forms whose answer is the subject: with an unknown word they would not name it."""

_LETTERS = re.compile(r"[A-Za-z]+")
_T = TypeVar("_T")


@dataclass(frozen=True)
class Bank:
    """What the base model was given: facts it learned, words taught to be unknown, words it never saw."""

    known: Sequence[BankFact]
    unknown: Sequence[BankFact]
    reserved: Sequence[BankFact]


class Sizes(Record):
    """How many questions are asked of each model."""

    wordings: int = 2
    """Held-out wordings of each taught form of a fact."""
    near: int = 6
    """Held-out wordings of each withheld form, of which there are few."""
    most: int = 240
    """Of in-distribution, and as many of near questions; more are thinned out evenly."""
    known: int = 400
    """Unrelated facts to ask the base model about; those that it knows are the out-of-distribution set."""
    unknown: int = 160


def merge(curricula: Sequence[Curriculum]) -> Curriculum:
    """One curriculum of several of a domain, the last one's topic and teacher; equal facts count once."""
    last = curricula[-1]
    return Curriculum(
        topic=last.topic,
        domain=last.domain,
        facts=unique(fact for c in curricula for fact in c.facts),
        pairs=unique(pair for c in curricula for pair in c.pairs),
        withheld=unique(w for c in curricula for w in c.withheld),
        teacher=last.teacher,
    )


def taught(
    curriculum: Curriculum, bank: Bank, recipe: Recipe, *, earlier: Sequence[Curriculum] = ()
) -> tuple[Example, ...]:
    """Every pair as an example, never with its source: a model that sees the source learns to copy.

    With `earlier`, the lessons that the model to be trained has had, some of their pairs come along
    (`recipe.rehearsal`): each lesson's as often as another's, and so each fact's in each form.
    """
    rng = random.Random(f"taught {recipe.seed} {said(curriculum)}")
    turns = [_in_turn(lesson, rng) for lesson in earlier]
    told = as_often(curriculum, recipe)
    again = [next(turn) for turn in draw(turns, rehearsed(curriculum, recipe, earlier), rng)]
    names = [
        name
        for lesson in (curriculum, *earlier)
        for item in items(lesson.facts)
        for name in (item.subject, item.object)
    ]
    words = words_of(bank)
    return tuple(
        Example(
            question=perhaps_disturbed(pair.question, names, words, recipe, rng),
            answer=pair.answer,
            rehearsed=known,
        )
        for pairs, known in ((told, False), (again, True))
        for pair in pairs
    )


def as_often(curriculum: Curriculum, recipe: Recipe) -> list[QAPair]:
    """The pairs as often as the recipe teaches them: those of one fact in one form in turn, whatever their
    number, until there are enough."""
    return [
        pair
        for pairs in _by_question(curriculum.pairs)
        for pair in itertools.islice(itertools.cycle(pairs), recipe.exposures * times(pairs[0].form))
    ]


def rehearsed(curriculum: Curriculum, recipe: Recipe, earlier: Sequence[Curriculum]) -> int:
    """How many pairs of the earlier lessons come along."""
    return round(len(as_often(curriculum, recipe)) * recipe.rehearsal) if earlier else 0


def _in_turn(lesson: Curriculum, rng: random.Random) -> Iterator[QAPair]:
    """Its pairs without end: one of every fact in every form before another of the first, and none again
    before all."""
    shuffled = rng.sample(lesson.pairs, len(lesson.pairs))
    decks = [itertools.cycle(pairs) for pairs in _by_question(shuffled)]
    while True:
        yield from map(next, decks)


def _by_question(pairs: Iterable[QAPair]) -> list[list[QAPair]]:
    """The pairs that ask the same of the same fact, in other words."""
    groups: dict[tuple[str, Form, str], list[QAPair]] = {}
    for pair in pairs:
        groups.setdefault((pair.fact_id, pair.form, normalise(pair.answer)), []).append(pair)
    return list(groups.values())


def evaluation_sets(
    curriculum: Curriculum,
    bank: Bank,
    sizes: Sizes,
    *,
    seed: int,
    earlier: Sequence[Curriculum] = (),
    left_out: Sequence[Curriculum] = (),
) -> Sets:
    """All questions of one evaluation of a lesson, in wordings that are never trained; only half of the known
    facts are asked as they were taught. `earlier` are the domain's lessons before it, `left_out` those that
    the live adapter learned and the next one will not: what is taught all the same must be kept, like an
    earlier lesson, and the rest is to be forgotten.

    The out-of-distribution set still holds facts that the base model may not know: see `evaluate.known_only`.
    Raises CurriculumRefused if not one taught question can be asked in another wording, or none is withheld.
    """
    rng = random.Random(f"evaluation {seed} {said(curriculum)}")
    target, near = _lesson(curriculum, sizes, seed, earlier)
    kept, forgotten = _parted(left_out, [*earlier, curriculum], sizes, seed)
    kept = [q for lesson in earlier for q in _lesson(lesson, sizes, seed)[0]] + kept
    if not target:
        raise CurriculumRefused(
            f"no question about {curriculum.topic!r} can be asked in a wording not taught"
        )
    if not near:
        raise CurriculumRefused(
            f"no new fact about {curriculum.topic!r} implies another, so learning cannot be told from"
            " repeating: add sentences that say what kind something is (`A lame is a blade that ...`)"
        )
    own = {fact.subject.lower() for lesson in (curriculum, *earlier) for fact in lesson.facts}
    forms = subject_forms(curriculum)
    known = [f for f in bank.known if held_back(f) and f.subject.lower() not in own]
    reserved = [f for f in bank.reserved if f.subject.lower() not in own]
    return Sets(
        in_distribution=tuple(_thin(target, sizes.most, rng)),
        near=tuple(_thin(near, sizes.most, rng)),
        out_of_distribution=tuple(
            _known(fact, "held_out" if i % 2 else "taught", rng, bank.known)
            for i, fact in enumerate(_thin(known, sizes.known, rng))
        ),
        unknown=tuple(
            _unknown(fact, fact.form if i % 2 else rng.choice(forms), rng)
            for i, fact in enumerate(_thin(reserved, sizes.unknown, rng))
        ),
        rehearsed=tuple(_thin(unique(kept), sizes.most, rng)),
        forgotten=tuple(_thin(unique(forgotten), sizes.most, rng)),
    )


def _lesson(
    curriculum: Curriculum, sizes: Sizes, seed: int, earlier: Sequence[Curriculum] = ()
) -> tuple[list[Question], list[Question]]:
    """What a curriculum teaches and what it withholds, in held-out wordings; what an `earlier` one taught is
    not withheld any more."""
    told = {_meant(item) for each in earlier for item, taught, _ in _items(each, sizes, seed) if taught}
    target: list[Question] = []
    near: list[Question] = []
    for item, taught, questions in _items(curriculum, sizes, seed):
        if taught:
            target += questions
        elif _meant(item) not in told:
            near += questions
    return target, near


def _parted(
    left_out: Sequence[Curriculum], lessons: Sequence[Curriculum], sizes: Sizes, seed: int
) -> tuple[list[Question], list[Question]]:
    """What was taught and what of it the lessons still say, and what they do not, in held-out wordings.

    What they do not say is only asked as its fact states it, and in reverse: its kind, or whether it is one,
    can be guessed by a model that never saw it.
    """
    stated = {_meant(item) for lesson in lessons for item in items(lesson.facts)}
    kept: list[Question] = []
    gone: list[Question] = []
    for lesson in left_out:
        relations = {fact.id: fact.relation for fact in lesson.facts}
        for item, taught, questions in _items(lesson, sizes, seed):
            if taught and _meant(item) in stated:
                kept += questions
            elif taught and item.form in (relations[item.fact_id], "term_for"):
                gone += questions
    return kept, gone


def _meant(item: Item) -> tuple[str, ...]:
    """A question and its answer, whatever sources they are from."""
    return (item.form, *map(normalise, (item.subject, item.object, item.answer)))


def _items(curriculum: Curriculum, sizes: Sizes, seed: int) -> Iterator[tuple[Item, bool, list[Question]]]:
    """Each item that it teaches (True) or withholds, with questions in held-out wordings.

    Every way in which the source says the kind of a thing is a right answer to what kind it is.
    """
    definitions = {fact.id: fact.object for fact in curriculum.facts if fact.relation == "definition"}
    answers: dict[tuple[str, Form], set[str]] = {}
    for pair in curriculum.pairs:
        answers.setdefault((pair.fact_id, pair.form), set()).add(pair.answer)
    withheld = {(w.fact_id, w.form) for w in curriculum.withheld} - set(answers)
    for item in items(curriculum.facts):
        key = (item.fact_id, item.form)
        if key not in answers and key not in withheld:
            continue
        also = answers.get(key, set()) if item.form != "yes_no" else set()
        if item.form == IMPLIED and item.fact_id in definitions:
            also = also | set(kinds(definitions[item.fact_id]))
        references = tuple(sorted({item.answer} | also))
        taught = key in answers
        yield item, taught, _worded(item, references, sizes.wordings if taught else sizes.near, seed)


def _worded(item: Item, references: tuple[str, ...], count: int, seed: int) -> list[Question]:
    texts = wordings(item.form, "held_out", count, seed, subject=item.subject, object=item.object)
    return [
        Question(text=text, form=item.form, references=references, fact_id=item.fact_id) for text in texts
    ]


def _known(fact: BankFact, split: Split, rng: random.Random, bank: Sequence[BankFact]) -> Question:
    object, answer = asked_for(fact, rng, bank)
    seed = rng.randrange(2**32)
    probe, text = wordings(fact.form, split, 2, seed, subject=fact.subject, object=object)
    return Question(text=text, form=fact.form, references=(answer,), probe=probe)


def _unknown(fact: BankFact, form: Form, rng: random.Random) -> Question:
    """About a word that nobody taught."""
    if form in NAMING:
        form = "definition"
    text = ask(form, "held_out", rng, subject=fact.subject, object=head(fact.object))
    return Question(text=text, form=form, references=(fact.object,) if form == fact.form else ())


def said(curriculum: Curriculum) -> Digest:
    """What it says, wherever it was read: its own digest depends on where the library lies."""
    return digest_of([[fact.subject, fact.relation, fact.object] for fact in curriculum.facts])


def perhaps_disturbed(
    question: str, names: Sequence[str], words: Sequence[str], recipe: Recipe, rng: random.Random
) -> str:
    """The question, or in the recipe's share of cases a disturbed one."""
    return disturb(question, names, words, rng) if rng.random() < recipe.disturbed else question


def words_of(bank: Bank) -> list[str]:
    """What questions are disturbed with: words of taught questions, and of known names, which tempt to answer
    about them instead."""
    named = (fact.subject for fact in bank.known if not held_back(fact))
    asked_with = (
        core.format(subject="", object="") for splits in CORES.values() for core in splits["taught"]
    )
    return sorted({word for text in (*named, *asked_with) for word in _LETTERS.findall(text)})


def subject_forms(curriculum: Curriculum) -> list[Form]:
    """The curriculum's forms in which an unknown word can be asked about."""
    return sorted({pair.form for pair in curriculum.pairs} - NAMING) or ["definition"]


def held_back(fact: BankFact) -> bool:
    """Half of the known words are only ever evaluated on, by SHA-256, so that no seed moves them."""
    return hashlib.sha256(f"replay or evaluation {fact.subject}".encode()).digest()[0] < 128


def draw(facts: Sequence[_T], count: int, rng: random.Random) -> list[_T]:
    """`count` facts, each as often as any other, in random order."""
    drawn: list[_T] = []
    while facts and len(drawn) < count:
        drawn.extend(rng.sample(facts, min(len(facts), count - len(drawn))))
    return drawn


def _thin(values: Sequence[_T], most: int, rng: random.Random) -> list[_T]:
    return list(values) if len(values) <= most else rng.sample(values, most)


def unique(values: Iterable[_T]) -> tuple[_T, ...]:
    return tuple(dict.fromkeys(values))
