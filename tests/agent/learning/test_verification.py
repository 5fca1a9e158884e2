"""Verification keeps what people would ask and drops what does not follow, whoever wrote it.

The natural pairs and their passages are made up for this test; the corruptions are made of them by seed.
"""

import asyncio
import json
import random
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from agent.engines.scripted import ScriptedEngine
from agent.learning.candidate_pairs import CandidatePair
from agent.learning.corpus_index import CorpusIndex
from agent.learning.text_analysis import analyse
from agent.learning.verification import VerifiedPairs, verify
from memory.records.knowledge import Passage
from tests.support.facts import passage

Corruption = Callable[[CandidatePair, Passage, random.Random], tuple[CandidatePair, Passage] | None]

COUNT = 25
"""Corruptions of each of the eight kinds."""


def _load() -> tuple[list[Passage], list[CandidatePair]]:
    passages: list[Passage] = []
    pairs: list[CandidatePair] = []
    for line in (Path(__file__).parent / "natural_pairs.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        home = passage(row["text"], source=f"{row['title']}.md", title=row["title"])
        passages.append(home.model_copy(update={"section": row["section"]}))
        pairs += [CandidatePair(**pair, passage_id=home.id) for pair in row["pairs"]]
    return passages, pairs


PASSAGES, NATURAL = _load()
BY_ID = {home.id: home for home in PASSAGES}
CORPUS = CorpusIndex(PASSAGES)
ODD = "Otter Kingsley"


def check(*candidates: CandidatePair, passages: Sequence[Passage] = PASSAGES) -> VerifiedPairs:
    corpus = CORPUS if passages is PASSAGES else CorpusIndex(passages)
    return asyncio.run(verify(candidates, {p.id: p for p in passages}, corpus=corpus, scorer=None))


def natural(words: str) -> CandidatePair:
    (found,) = (pair for pair in NATURAL if words in pair.question)
    return found


# Corruptions


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


# What is kept


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


# What is dropped


LEAST = {
    "swapped_object": 0.95,
    "negated_question": 0.9,
    "negated_answer": 1.0,
    "changed_number": 0.96,
    "other_entity": 0.8,
    "absent_answer": 1.0,
    "altered_quote": 1.0,
    "garbled": 0.8,
    "dropped_unit": 1.0,
}
"""Measured on all that can be made of the pairs. What is short of 1 needs more than words: another name of
the same passage in a question that is otherwise right, and lines of two columns with no capital between."""


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_corruptions_are_dropped(kind: str) -> None:
    kept, count = survivors(kind)
    assert count >= 12
    assert 1 - len(kept) / count >= LEAST[kind], kept


def test_of_two_hundred_corruptions_few_pass() -> None:
    shares = [survivors(kind) for kind in KINDS]
    count = sum(made for _, made in shares)
    assert count >= 200
    assert sum(len(kept) for kept, _ in shares) / count <= 0.05


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


# Hostile input


def _hostile() -> Iterator[CandidatePair]:
    pair = natural("born")
    for text in (
        "a" * 100_000,
        "(" * 100_000,
        "not " * 25_000,
        "1," * 50_000,
        "\n \n" * 30_000,
        "`" * 100_000,
        "\x00" * 1000,
    ):
        for field in ("question", "answer", "quote", "form"):
            yield pair.model_copy(update={field: text})
    for text in (r"(.*)+$", "[a-z", "\\", "(?P<x>", "a{99999}", "\u202e", "\ud7ff", "🦆?"):
        for field in ("question", "answer", "quote"):
            yield pair.model_copy(update={field: text})


def test_hostile_candidates_are_dropped_in_no_time() -> None:
    start = time.perf_counter()
    for candidate in _hostile():
        check(candidate)
    assert time.perf_counter() - start < 30


@pytest.mark.parametrize(
    "piece", ["a. ", "not ", "1,000 ", "A b", "(x) ", "\n\n \n", "`a` ", "- ", "Ab Cd of "]
)
def test_a_long_passage_takes_linear_time(piece: str) -> None:
    spent = []
    for size in (20_000, 80_000):
        home = passage(f"{natural('born').quote} {piece * (size // len(piece))}")
        pair = natural("born").model_copy(update={"passage_id": home.id})
        start = time.perf_counter()
        check(pair, passages=[home])
        spent.append(time.perf_counter() - start)
    assert spent[1] < 12 * spent[0] + 5  # quadratic time would take 16 times as long, and minutes


# The model's part


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
