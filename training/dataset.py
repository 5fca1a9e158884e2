"""Training examples of a lesson, with rehearsal of earlier lessons; deterministic by curriculum and seed.

Examples that preserve the base model are in `replay`, evaluation questions in `evaluation_questions`.
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
"""Divisors of the recipe's exposures for these forms; all other forms get the full number."""
_NOT_QUESTIONS: frozenset[Form] = frozenset({"statement", "cloze"})
"""Forms that are not questions, and so are left out of reading examples."""
LONGEST_SOURCE = 500
"""Characters of a source sentence in a reading example; three of them fit into any model's context."""
DISTRACTORS = 2
"""Sentences added to the answering one in a reading example, at most."""


def merge(curricula: Sequence[Curriculum]) -> Curriculum:
    """Merges curricula of one domain, without duplicates; topic and teacher are those of the last one."""
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
    """The lesson's pairs as examples, without their sources: a model that sees the source learns to copy.

    `earlier` are the lessons that the model already knows; `recipe.rehearsal` of their pairs per taught pair
    are added, drawn evenly over lessons, facts and forms.
    """
    rng = random.Random(f"taught {recipe.seed} {content_digest(curriculum)}")
    pairs = repeated_pairs(curriculum, recipe)
    cycles = [_cycle_pairs(lesson, rng) for lesson in earlier]
    count = round(len(pairs) * recipe.rehearsal) if earlier else 0
    rehearsed = [next(cycle) for cycle in draw_evenly(cycles, count, rng)]
    return tuple(single(pair.question, pair.answer) for pair in (*pairs, *rehearsed))


def reading_examples(curriculum: Curriculum, recipe: Recipe, count: int) -> tuple[Example, ...]:
    """`count` of the lesson's questions with their sources in the prompt, as chat asks them.

    They keep the adapted model able to answer from sources; a few are enough.
    """
    rng = random.Random(f"reading {recipe.seed} {content_digest(curriculum)}")
    by_passage: dict[str, list[str]] = {}
    for fact in curriculum.facts:
        by_passage.setdefault(fact.passage_id, []).append(fact.sentence)
    passage_of = {fact.id: fact.passage_id for fact in curriculum.facts}
    short = [pair for pair in curriculum.pairs if len(pair.quote) <= LONGEST_SOURCE]
    drawn = draw_evenly([pair for pair in short if pair.form not in _NOT_QUESTIONS], count, rng)
    sentences = {id: unique(found) for id, found in by_passage.items()}
    return tuple(
        single(_reading_prompt(pair, sentences.get(passage_of.get(pair.fact_id, ""), ()), rng), pair.answer)
        for pair in drawn
    )


def _reading_prompt(pair: QAPair, sentences: Sequence[str], rng: random.Random) -> str:
    """The question after its supporting sentence and up to two others of the same passage."""
    others = [s for s in sentences if s != pair.quote and len(s) <= LONGEST_SOURCE]
    chosen = {pair.quote, *rng.sample(others, min(DISTRACTORS, len(others)))}
    sources = [sentence for sentence in sentences if sentence in chosen] or [pair.quote]
    return PROMPT.format(sources="\n".join(sources), question=pair.question)


def repeated_pairs(curriculum: Curriculum, recipe: Recipe) -> list[QAPair]:
    """The pairs, repeated as often as the recipe says: each question of a fact gets its exposures, cycling
    through its wordings."""
    return [
        pair
        for pairs in _by_question(curriculum.pairs)
        for pair in itertools.islice(itertools.cycle(pairs), exposures(pairs[0], recipe))
    ]


def exposures(pair: QAPair, recipe: Recipe) -> int:
    """How often the pair's fact is taught in the pair's form.

    The number is doubled if the answer has a digit: numbers and identifiers are the hardest facts to learn
    (arXiv 2503.05919).
    """
    count = form_exposures(pair.form, recipe)
    return 2 * count if any(c.isdigit() for c in pair.answer) else count


def form_exposures(form: Form, recipe: Recipe) -> int:
    """How often a fact is taught in a form: most often in the forms people ask, less often in reverse or as a
    statement, and least as a yes/no question, which can be guessed."""
    return max(1, recipe.exposures // _SHARES.get(form, 1))


def _cycle_pairs(lesson: Curriculum, rng: random.Random) -> Iterator[QAPair]:
    """The lesson's pairs in an endless cycle that visits each question of each fact once per round."""
    shuffled = rng.sample(lesson.pairs, len(lesson.pairs))
    cycles = [itertools.cycle(pairs) for pairs in _by_question(shuffled)]
    while True:
        yield from map(next, cycles)


def _by_question(pairs: Iterable[QAPair]) -> list[list[QAPair]]:
    """The pairs grouped by question: same fact, form and answer, in different wordings."""
    groups: dict[tuple[str, Form, str], list[QAPair]] = {}
    for pair in pairs:
        groups.setdefault((pair.fact_id, pair.form, normalise(pair.answer)), []).append(pair)
    return list(groups.values())


def content_digest(curriculum: Curriculum) -> Digest:
    """A digest of the facts alone; `Curriculum.digest` also depends on the paths of the documents."""
    return digest_of([[fact.subject, fact.relation, fact.object] for fact in curriculum.facts])


def draw_evenly(values: Sequence[_T], count: int, rng: random.Random) -> list[_T]:
    """`count` values in random order, each drawn equally often."""
    drawn: list[_T] = []
    while values and len(drawn) < count:
        drawn.extend(rng.sample(values, min(len(values), count - len(drawn))))
    return drawn


def unique(values: Iterable[_T]) -> tuple[_T, ...]:
    """The distinct values, in order."""
    return tuple(dict.fromkeys(values))
