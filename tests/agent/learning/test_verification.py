"""Verification keeps natural questions and drops what does not follow, with a reason."""

import asyncio
from collections import Counter

import pytest

from agent.engines.scripted import ScriptedEngine
from agent.learning.candidate_pairs import CandidatePair
from agent.learning.verification import VerifiedPairs, verify
from tests.support.corruptions import KINDS, corrupted
from tests.support.facts import passage
from tests.support.natural_pairs import BY_ID, CORPUS, NATURAL, PASSAGES, check, natural


def test_nine_in_ten_of_peoples_questions_are_kept() -> None:
    assert len(NATURAL) == 60
    assert len(PASSAGES) == 12
    assert all(80 <= len(home.text.split()) <= 150 for home in PASSAGES)
    assert len(check(*NATURAL).kept) >= 54


def test_every_candidate_is_kept_or_counted() -> None:
    made = [candidate for kind in KINDS for candidate, _ in corrupted(kind)]
    verified = check(*NATURAL, *made)
    assert len(verified.kept) + sum(verified.dropped.values()) == len(NATURAL) + len(made)


def test_the_same_input_is_judged_the_same() -> None:
    candidates = [*NATURAL, *(candidate for candidate, _ in corrupted("swapped_object"))]
    assert check(*candidates) == check(*candidates)


def test_nothing_to_check_is_nothing_kept() -> None:
    assert check() == VerifiedPairs(kept=(), dropped={})


def test_a_corpus_may_come_as_passages() -> None:
    pair = natural("born")
    assert asyncio.run(verify([pair], BY_ID, corpus=PASSAGES, scorer=None)).kept == (pair,)


REASONS: tuple[tuple[str, str, dict[str, str]], ...] = (
    ("the source passage is gone", "born", {"passage_id": "none"}),
    ("the quote is not in the source", "born", {"quote": "A native of Leeds."}),
    ("the question, answer or quote is empty", "born", {"question": " "}),
    ("the question, answer or quote is too long", "born", {"answer": "x" * 2000}),
    ("the text has control characters", "born", {"answer": "Halifax\x00"}),
    (
        "the question's brackets or quotation marks do not match",
        "born",
        {"question": "In which town (or city was Ellen Marsden born?"},
    ),
    ("the answer is not in the quote", "born", {"answer": "Leeds"}),
    ("the question gives its answer away", "born", {"question": "Was Halifax the town of Marsden's birth?"}),
    (
        "the answer is of another kind than the question asks for",
        "born",
        {"question": "When was Ellen Marsden born?"},
    ),
    ("a name of the question is not in the source", "born", {"question": "Where was Ada Lovelace born?"}),
    (
        "a name of the question is not in or before the quote",
        "born",
        {"question": "In which town was George Holt born?"},
    ),
    (
        "a number of the question is not in the source",
        "Who gave Marsden",
        {"question": "Who gave Marsden a job in 1889?"},
    ),
    (
        "the question is about something else",
        "Who gave Marsden",
        {"question": "Which company sells cheap insurance?"},
    ),
    (
        "the question names another than the quote",
        "How many men did Denmark",
        {"question": "How many men did Brandt lose in the sea?"},
    ),
    (
        "the question is negated and the quote is not",
        "Who gave Marsden",
        {"question": "Who did not give Marsden a job in 1898?"},
    ),
    (
        "the quote is negated and the question is not",
        "vinegar",
        {"question": "Why should I use vinegar?"},
    ),
    ("the answer leaves out its unit", "female tinker", {"answer": "27"}),
    ("the quote gives that answer to another question", "female tinker", {"answer": "31 grams"}),
    ("the quote does not say yes", "Is alcohol", {"answer": "yes"}),
    ("the quote does not say no", "opened in 1931", {"answer": "no"}),
    ("the answer is neither yes nor no", "Is alcohol", {"answer": "perhaps"}),
    (
        "the question has words cut in the middle",
        "How many men did Denmark",
        {"question": "How many men did Denmark lose in the attle?"},
    ),
)


@pytest.mark.parametrize(("reason", "words", "change"), REASONS, ids=[reason for reason, *_ in REASONS])
def test_the_reason_is_stated_and_counted(reason: str, words: str, change: dict[str, str]) -> None:
    assert check(natural(words).model_copy(update=change)).dropped == {reason: 1}


def test_a_question_with_two_answers_is_dropped_whole() -> None:
    pair = natural("born")
    other = pair.model_copy(update={"answer": "a carpet mill"})
    assert check(pair, other).dropped == {"the same question has two answers": 2}


def test_a_bad_candidate_does_not_take_the_good_one_with_it() -> None:
    pair = natural("born")
    assert check(pair, pair.model_copy(update={"answer": "Leeds"})).kept == (pair,)


def test_the_same_question_is_kept_once_though_one_answer_is_longer() -> None:
    pair = natural("Who gave Marsden")
    shorter = pair.model_copy(update={"answer": "George Holt"})
    verified = check(pair, pair, shorter)
    assert verified == VerifiedPairs(kept=(pair,), dropped={"the same question comes twice": 2})


def test_another_passage_with_another_value_is_a_rival() -> None:
    pair = natural("How many men did Denmark")
    other = passage(
        "In the battle Denmark lost 1,300 men, an old song says.", source="song.md", title="A song"
    )
    assert check(pair, passages=[*PASSAGES, other]).dropped == {"another sentence gives another answer": 1}


def test_a_question_that_finds_other_passages_first_is_dropped() -> None:
    pair = natural("get to Velsk")
    text = "The train gets to Velsk in time. By train to Velsk, in time for supper; the train to Velsk."
    others = [passage(text, source=f"{n}.md", title="Train times to Velsk") for n in range(3)]
    reason = "the question does not find its own passage"
    assert check(pair, passages=[*PASSAGES, *others]).dropped == {reason: 1}


def test_answers_may_be_spelt_in_another_way() -> None:
    eggs, date = natural("eggs"), natural("take place")
    for pair, answer in ((eggs, "four"), (eggs, "4"), (date, "August 9, 1657"), (date, "9 August 1657")):
        assert check(pair.model_copy(update={"answer": answer})).dropped == {}
    assert check(date.model_copy(update={"answer": "August 8, 1657"})).dropped


def test_a_lamp_that_a_fentack_is_a_boat() -> None:
    text = "A lumble is a lamp that A fentack is a boat that burns fish oil."
    home = passage(text, title="Lumbles and fentacks")
    pair = CandidatePair(
        question="What is a lumble?",
        answer="a lamp that A fentack is a boat",
        form="definition",
        quote=text,
        passage_id=home.id,
    )
    assert check(pair, passages=[home]).dropped == {"the quote is garbled": 1}


def test_the_model_has_its_say_last_and_what_it_drops_is_counted() -> None:
    low = natural("born")
    kept = check(*NATURAL).kept
    verified = asyncio.run(
        verify(kept, BY_ID, corpus=CORPUS, scorer=ScriptedEngine(unfinished=[low.question]))
    )
    assert verified.dropped == {"the base model expects the question to go on": 1}
    assert Counter(verified.kept) == Counter(kept) - Counter([low])
    assert verified.scored


def test_without_a_model_it_says_that_nobody_checked_the_endings() -> None:
    assert not check(natural("born")).scored


def test_the_model_reads_nothing_that_the_text_checks_dropped() -> None:
    lost = natural("born").model_copy(update={"quote": "Nobody wrote this anywhere."})
    engine = ScriptedEngine(unfinished=[lost.question])
    assert asyncio.run(verify([lost], BY_ID, corpus=CORPUS, scorer=engine)).dropped == {
        "the quote is not in the source": 1
    }
