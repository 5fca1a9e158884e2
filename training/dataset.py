"""What is trained of a lesson and of those before it. Deterministic by curriculum and seed.

What is trained beside a lesson is in `replay`; what is asked after it, and never trained, in `questions`.
"""

import itertools
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from agent.chat.answer_from_sources import PROMPT
from agent.grading import normalise
from memory.records.base import Digest, digest_of
from memory.records.curricula import Curriculum, Form, QAPair, untaught
from training.backends.base import Example, single
from training.recipes import Recipe

_T = TypeVar("_T")

_SHARES: Mapping[Form, int] = {"reverse": 3, "statement": 3, "cloze": 3, "yes_no": 12}
"""Of the recipe's exposures each of these forms gets one part in so many; every other form gets all."""
_UNASKED: frozenset[Form] = frozenset({"statement", "cloze"})
"""Forms in which nobody asks a model that reads."""
LONGEST_SHOWN = 500
"""Characters of a sentence that is shown beside a question: three of them fit into any model's context."""
OTHERS = 2
"""Most sentences beside the one that answers, where a question is asked with its source."""


def merge(curricula: Sequence[Curriculum]) -> Curriculum:
    """One curriculum of several of a domain, the last one's topic and teacher; equal facts count once."""
    last = curricula[-1]
    pairs = unique(pair for c in curricula for pair in c.pairs)
    return Curriculum(
        topic=last.topic,
        domain=last.domain,
        facts=unique(fact for c in curricula for fact in c.facts),
        pairs=pairs,
        held_out=untaught(unique(pair for c in curricula for pair in c.held_out), pairs),
        teacher=last.teacher,
    )


def lesson_examples(
    curriculum: Curriculum, recipe: Recipe, *, earlier: Sequence[Curriculum] = ()
) -> tuple[Example, ...]:
    """Every pair as an example without its source: a model that sees the source learns to copy.

    With `earlier`, the lessons that the model to be trained has had, some of their pairs come along
    (`recipe.rehearsal`): each lesson's as often as another's, and so each fact's in each form.
    """
    rng = random.Random(f"taught {recipe.seed} {content_digest(curriculum)}")
    pairs = repeated_pairs(curriculum, recipe)
    turns = [_in_turn(lesson, rng) for lesson in earlier]
    count = round(len(pairs) * recipe.rehearsal) if earlier else 0
    again = [next(turn) for turn in draw_evenly(turns, count, rng)]
    return tuple(single(pair.question, pair.answer) for pair in (*pairs, *again))


def reading_examples(curriculum: Curriculum, recipe: Recipe, count: int) -> tuple[Example, ...]:
    """`count` questions of the lesson as chat puts them to a model that reads: after the sentence that
    answers and its neighbours. They keep the adapted model reading; a few are enough."""
    rng = random.Random(f"reading {recipe.seed} {content_digest(curriculum)}")
    beside: dict[str, list[str]] = {}
    for fact in curriculum.facts:
        beside.setdefault(fact.passage_id, []).append(fact.sentence)
    passage_of = {fact.id: fact.passage_id for fact in curriculum.facts}
    short = [pair for pair in curriculum.pairs if len(pair.quote) <= LONGEST_SHOWN]
    drawn = draw_evenly([pair for pair in short if pair.form not in _UNASKED], count, rng)
    around = {id: unique(sentences) for id, sentences in beside.items()}
    return tuple(
        single(_read(pair, around.get(passage_of.get(pair.fact_id, ""), ()), rng), pair.answer)
        for pair in drawn
    )


def _read(pair: QAPair, sentences: Sequence[str], rng: random.Random) -> str:
    """The question after its quote, which stands among up to two other sentences of its passage."""
    others = [s for s in sentences if s != pair.quote and len(s) <= LONGEST_SHOWN]
    kept = {pair.quote, *rng.sample(others, min(OTHERS, len(others)))}
    shown = [sentence for sentence in sentences if sentence in kept] or [pair.quote]
    return PROMPT.format(sources="\n".join(shown), question=pair.question)


def repeated_pairs(curriculum: Curriculum, recipe: Recipe) -> list[QAPair]:
    """The pairs as often as the recipe teaches them: those that ask the same of one fact in turn, whatever
    their number, until there are enough."""
    return [
        pair
        for pairs in _by_question(curriculum.pairs)
        for pair in itertools.islice(itertools.cycle(pairs), exposures(pairs[0], recipe))
    ]


def exposures(pair: QAPair, recipe: Recipe) -> int:
    """How often the pair's fact is taught in its form.

    Twice as often where the answer holds a digit: numbers and identifiers are the hardest facts to learn
    (arXiv 2503.05919).
    """
    count = form_exposures(pair.form, recipe)
    return 2 * count if any(c.isdigit() for c in pair.answer) else count


def form_exposures(form: Form, recipe: Recipe) -> int:
    """How often a fact is taught in a form: most often as people ask for it, less in reverse or as a bare
    sentence, and least as yes or no, which says least of it and is half guessed."""
    return max(1, recipe.exposures // _SHARES.get(form, 1))


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


def content_digest(curriculum: Curriculum) -> Digest:
    """What it says, wherever it was read: its own digest depends on where the library lies."""
    return digest_of([[fact.subject, fact.relation, fact.object] for fact in curriculum.facts])


def draw_evenly(values: Sequence[_T], count: int, rng: random.Random) -> list[_T]:
    """`count` values, each as often as any other, in random order."""
    drawn: list[_T] = []
    while values and len(drawn) < count:
        drawn.extend(rng.sample(values, min(len(values), count - len(drawn))))
    return drawn


def unique(values: Iterable[_T]) -> tuple[_T, ...]:
    """The values without repetition, in their order."""
    return tuple(dict.fromkeys(values))
