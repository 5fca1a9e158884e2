"""Training examples of a lesson, with rehearsal of earlier lessons; deterministic by curriculum and seed.

Examples that preserve the base model are in `replay`, evaluation questions in `evaluation_questions`.
"""

import itertools
import math
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from agent.chat.answer_from_sources import PROMPT
from agent.grading import normalise
from agent.learning.question_framing import VALIDATION_OPENINGS, with_opening
from memory.records.base import Digest, digest_of
from memory.records.curricula import GUESSED_FORMS, Curriculum, Form, QAPair, untaught
from training.backends.base import Example, single
from training.recipes import Recipe

_T = TypeVar("_T")
TaughtQuestion = tuple[str, Form, str]
"""Fact, form and answer: what all wordings of one question share."""

_SHARES: Mapping[Form, int] = {"reverse": 3, "statement": 3, "cloze": 3, "yes_no": 12}
"""Divisors of the recipe's exposures for these forms; all other forms get the full number."""
_NOT_QUESTIONS: frozenset[Form] = frozenset({"statement", "cloze"})
"""Forms that are not questions, and so are left out of reading examples."""
LONGEST_SOURCE = 500
"""Characters of a source sentence in a reading example; three of them fit into any model's context."""
DISTRACTORS = 2
"""Sentences added to the answering one in a reading example, at most."""
VALIDATED = 64
"""Questions whose loss is watched during training: about 300 tokens, so that their median is steady."""
EPSILON = 1e-9
"""Smaller differences are rounding."""


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
        early_stop=last.early_stop,
        weights=last.weights,
    )


def lesson_examples(
    curriculum: Curriculum, recipe: Recipe, *, earlier: Sequence[Curriculum] = ()
) -> tuple[Example, ...]:
    """The lesson's pairs as examples, without their sources: a model that sees the source learns to copy.

    `earlier` are the lessons that the model already knows; `recipe.rehearsal` of their pairs per taught pair
    are added, drawn evenly over lessons, facts and forms, or in proportion to the curriculum's weights.
    """
    rng = random.Random(f"taught {recipe.seed} {content_digest(curriculum)}")
    pairs = repeated_pairs(curriculum, recipe)
    count = round(len(pairs) * recipe.rehearsal) if earlier else 0
    if curriculum.weights:
        rehearsed = weighted_rehearsal(earlier, curriculum.weights, count, rng)
    else:
        cycles = [_cycle_pairs(lesson, rng) for lesson in earlier]
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
    short = [pair for pair in curriculum.pairs if len(pair.quote) <= LONGEST_SOURCE and not pair.views]
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


def validation_examples(curriculum: Curriculum, recipe: Recipe) -> tuple[Example, ...]:
    """One held-out example for each of the lesson's questions, of at most VALIDATED that are drawn.

    Their openings are never trained, and never asked in the evaluation either: weights that were chosen on
    the evaluation's own questions would look better there than they are.
    """
    rng = random.Random(f"validation {recipe.seed} {content_digest(curriculum)}")
    plainest = [pairs[0] for pairs in _by_question(curriculum.pairs).values()]
    open_ended = [pair for pair in plainest if pair.form not in GUESSED_FORMS] or plainest
    drawn = draw_evenly(open_ended, min(VALIDATED, len(open_ended)), rng)
    return tuple(
        replace(
            single(with_opening(rng.choice(VALIDATION_OPENINGS), pair.question), pair.answer), held_out=True
        )
        for pair in drawn
    )


def repeated_pairs(curriculum: Curriculum, recipe: Recipe) -> list[QAPair]:
    """The pairs, repeated as often as the recipe says: each question of a fact gets its exposures times its
    weight, but one at least, cycling through its wordings."""
    weights = question_weights(curriculum, curriculum.weights)
    return [
        pair
        for question, pairs in _by_question(curriculum.pairs).items()
        for pair in itertools.islice(
            itertools.cycle(pairs), max(1, round(exposures(pairs[0], recipe) * weights.get(question, 1.0)))
        )
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
    cycles = [itertools.cycle(pairs) for pairs in _by_question(shuffled).values()]
    while True:
        yield from map(next, cycles)


def question_weights(lesson: Curriculum, weights: Mapping[Digest, float]) -> dict[TaughtQuestion, float]:
    """The weight of each question of the lesson that has one: the mean over its wordings that have one.

    A held-out wording counts as well, because its loss shows best what the model knows.
    """
    found = {
        question: [weights[pair.digest] for pair in pairs if pair.digest in weights]
        for question, pairs in _by_question((*lesson.pairs, *lesson.held_out)).items()
    }
    return {question: math.fsum(of) / len(of) for question, of in found.items() if of}


def weighted_rehearsal(
    lessons: Sequence[Curriculum], weights: Mapping[Digest, float], count: int, rng: random.Random
) -> list[QAPair]:
    """`count` pairs of the lessons, in random order.

    Without weights, each lesson has the same share, and each of its questions an equal part of that; weights
    multiply it. By systematic sampling, a question comes as often as its part says, rounded up or down.
    """
    cycles: list[Iterator[QAPair]] = []
    shares: list[float] = []
    for lesson in lessons:
        found = question_weights(lesson, weights)
        questions = _by_question(rng.sample(lesson.pairs, len(lesson.pairs)))
        for question, pairs in questions.items():
            cycles.append(itertools.cycle(pairs))
            shares.append(found.get(question, 1.0) / len(questions))
    scale = count / math.fsum(shares) if shares else 0.0
    drawn: list[QAPair] = []
    end = rng.random()
    for cycle, share in zip(cycles, shares, strict=True):
        start, end = end, end + share * scale
        drawn += itertools.islice(cycle, math.floor(end + EPSILON) - math.floor(start + EPSILON))
    rng.shuffle(drawn)
    return drawn


def _by_question(pairs: Iterable[QAPair]) -> dict[TaughtQuestion, list[QAPair]]:
    """The pairs grouped by question, in different wordings."""
    groups: dict[TaughtQuestion, list[QAPair]] = {}
    for pair in pairs:
        groups.setdefault((pair.fact_id, pair.form, normalise(pair.answer)), []).append(pair)
    return groups


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
