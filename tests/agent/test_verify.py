"""A pair is taught only if the source that it names supports it."""

import random
from typing import get_args

import pytest

from agent.cores import CORES
from agent.curriculum import write
from agent.verify import unsupported_fact, verify
from memory.records import Fact, QAPair, Relation
from tests.facts import fact, passage, rust

RELATIONS: tuple[Relation, ...] = get_args(Relation)
HOME, FACTS = rust()
PASSAGES = {HOME.id: HOME}
DRAFT = write(FACTS, per_form=12)


def one(form: str, subject: str) -> QAPair:
    wanted = next(f.id for f in FACTS if f.subject == subject)
    return next(p for p in DRAFT.pairs if p.fact_id == wanted and p.form == form)


def reasons(*pairs: QAPair, facts: tuple[Fact, ...] = FACTS) -> dict[str, int]:
    return verify(pairs, facts, PASSAGES).dropped


def test_everything_that_the_teacher_writes_from_true_facts_is_kept() -> None:
    verified = verify(DRAFT.pairs, FACTS, PASSAGES)
    assert verified.dropped == {}
    assert set(verified.kept) == set(DRAFT.pairs)


@pytest.mark.parametrize(
    ("form", "subject", "change", "reason"),
    [
        ("definition", "move", {"answer": "a copy of a value"}, "the answer is not the fact's"),
        (
            "definition",
            "move",
            {"answer": "not a transfer of a value to a new owner"},
            "the answer is negated",
        ),
        ("definition", "move", {"answer": "a transfer of 2 values"}, "a number is not in the quote"),
        (
            "definition",
            "move",
            {"question": "What is a string slice?"},
            "the question does not name the subject",
        ),
        (
            "definition",
            "move",
            {"question": "What is a move or a string slice?"},
            "the question names another entity",
        ),
        ("definition", "move", {"quote": "A move is a gift."}, "the quote is not the fact's"),
        ("definition", "move", {"source": "other.md"}, "the quote is not the fact's"),
        ("definition", "move", {"form": "requires"}, "the fact does not answer that form of question"),
        ("definition", "move", {"fact_id": "none"}, "no such fact"),
        ("term_for", "move", {"answer": "borrow"}, "the answer is not the fact's"),
        (
            "term_for",
            "move",
            {"question": "Which term means a copy?"},
            "the question does not quote the definition",
        ),
        (
            "prevents",
            "borrow checker",
            {"question": "What does the borrow checker not prevent?"},
            "the question is negated",
        ),
        (
            "prevents",
            "borrow checker",
            {"question": "What does the borrow checker require?"},
            "the question asks for another relation",
        ),
        ("prevents", "borrow checker", {"answer": "an upgrade"}, "the answer is not the fact's"),
    ],
)
def test_a_corrupted_pair_is_dropped_for_its_reason(
    form: str, subject: str, change: dict[str, str], reason: str
) -> None:
    pair = one(form, subject).model_copy(update=change)
    assert reasons(pair) == {reason: 1}


@pytest.mark.parametrize("relation", RELATIONS)
def test_a_question_for_another_relation_is_told_by_its_words(relation: Relation) -> None:
    pairs = ("definition", "move"), ("prevents", "borrow checker"), ("requires", "weak reference")
    for form, subject in pairs:
        for core in CORES[relation]["taught"][:3]:
            pair = one(form, subject).model_copy(update={"question": core.format(subject=subject)})
            wrong = {} if relation == form else {"the question asks for another relation": 1}
            assert reasons(pair) == wrong


def test_a_yes_about_another_kind_and_a_no_about_the_true_kind_are_dropped() -> None:
    yes = QAPair(
        question="Is a move a kind of smart pointer?",
        answer="Yes",
        form="yes_no",
        fact_id=FACTS[0].id,
        source=HOME.source,
        quote=FACTS[0].sentence,
    )
    no = yes.model_copy(update={"question": "Is a move a kind of transfer?", "answer": "No"})
    assert reasons(yes) == {"the question does not state the fact": 1}
    assert reasons(no) == {"what the answer denies is true": 1}
    assert reasons(yes.model_copy(update={"answer": "No"})) == {}


def test_two_true_answers_to_one_question_are_both_dropped() -> None:
    home = passage("A slice contains a pointer. A slice contains a length.")
    both = tuple(
        fact("slice", "contains", part, f"A slice contains {part}.", within=home)
        for part in ("a pointer", "a length")
    )
    pairs = [
        QAPair(
            question="What does a slice contain?",
            answer=f.object,
            form="contains",
            fact_id=f.id,
            source=f.source,
            quote=f.sentence,
        )
        for f in both
    ]
    assert verify(pairs, both, {home.id: home}).dropped == {"the same question has two answers": 2}


def test_a_corrupted_answer_does_not_take_the_true_one_with_it() -> None:
    pair = one("definition", "move")
    verified = verify([pair, pair.model_copy(update={"answer": "a gift"})], FACTS, PASSAGES)
    assert verified.kept == (pair,)


@pytest.mark.parametrize(
    ("subject", "relation", "object", "sentence", "reason"),
    [
        ("slice", "definition", "a view", "A string slice is a view.", "the subject is not in the quote"),
        ("move", "definition", "a copy", "A move is not a copy.", "the quote denies it"),
        ("move", "requires", "a copy", "A move is a copy.", "the quote states no such relation"),
        ("move", "definition", "a gift", "A move is a copy.", "the object is not in the quote"),
        ("borrow", "definition", "a copy", "A move is a copy.", "the subject is not in the quote"),
    ],
)
def test_a_fact_that_its_sentence_does_not_state_is_unsupported(
    subject: str, relation: Relation, object: str, sentence: str, reason: str
) -> None:
    assert unsupported_fact(fact(subject, relation, object, sentence), passage(sentence)) == reason


def test_a_pronoun_counts_only_after_a_sentence_that_names_the_subject() -> None:
    text = "The borrow checker reads every function. It prevents data races."
    home = passage(text)
    told = fact("borrow checker", "prevents", "data races", "It prevents data races.", within=home)
    assert unsupported_fact(told, home) is None
    assert unsupported_fact(told.model_copy(update={"subject": "linker"}), home) is not None


def test_a_changed_or_missing_passage_supports_nothing() -> None:
    assert unsupported_fact(FACTS[0], None) == "the source passage is gone"
    assert unsupported_fact(FACTS[0], passage("Something else entirely.")) == "the quote is not in the source"


def test_of_planted_corruptions_at_least_99_percent_go_and_95_percent_of_the_true_stay() -> None:
    rng = random.Random(7)
    true = list(DRAFT.pairs)
    planted = [corrupted(rng.choice(true), rng) for _ in range(200)]
    answers = {(p.question, p.answer, p.fact_id, p.form) for p in true}
    planted = [p for p in planted if (p.question, p.answer, p.fact_id, p.form) not in answers]
    caught = sum(not verify([p], FACTS, PASSAGES).kept for p in planted)
    kept = len(verify(true, FACTS, PASSAGES).kept)
    assert len(planted) > 150
    assert caught >= 0.99 * len(planted)
    assert kept >= 0.95 * len(true)


def corrupted(pair: QAPair, rng: random.Random) -> QAPair:
    """One of seven ways to spoil a pair."""
    others = [f for f in FACTS if f.id != pair.fact_id]
    other = rng.choice(others)
    way = rng.randrange(7)
    if way == 0:
        return pair.model_copy(update={"answer": rng.choice([f.object for f in others])})
    if way == 1:
        negated = "No" if pair.answer == "Yes" else f"not {pair.answer}"
        return pair.model_copy(update={"answer": negated})
    if way == 2:
        return pair.model_copy(update={"answer": f"{pair.answer} since 1987"})
    if way == 3:
        return pair.model_copy(update={"fact_id": other.id, "source": other.source, "quote": other.sentence})
    if way == 4:
        about_other = [p.question for p in DRAFT.pairs if p.fact_id == other.id]
        return pair.model_copy(update={"question": rng.choice(about_other)})
    if way == 5:
        return pair.model_copy(update={"question": asking_something_else(pair, rng)})
    return pair.model_copy(update={"quote": f"{pair.quote[:-1]} in the moonlight."})


def asking_something_else(pair: QAPair, rng: random.Random) -> str:
    """A plain question about the same subject, for a relation that the pair does not state."""
    own = next(f for f in FACTS if f.id == pair.fact_id)
    form = rng.choice([form for form in RELATIONS if form not in (own.relation, pair.form)])
    return rng.choice(CORES[form]["taught"][:3]).format(subject=own.subject)


def test_verification_does_not_depend_on_the_order_of_pairs() -> None:
    shuffled = list(DRAFT.pairs)
    random.Random(1).shuffle(shuffled)
    assert set(verify(shuffled, FACTS, PASSAGES).kept) == set(verify(DRAFT.pairs, FACTS, PASSAGES).kept)


def test_a_pronoun_is_quoted_together_with_the_sentence_that_explains_it() -> None:
    text = "`Box<T>` is a smart pointer that stores a value on the heap. It prevents large copies."
    told = fact("Box<T>", "prevents", "large copies", text, within=passage(text))
    assert unsupported_fact(told, passage(text)) is None
    wrong = told.model_copy(update={"subject": "Rc<T>"})
    assert unsupported_fact(wrong, passage(text)) == "the subject is not in the quote"
