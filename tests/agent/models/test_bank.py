"""The question bank as it ships, and what its loaders refuse."""

import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from agent.models.bank.records import (
    BankQuestion,
    GeneralPrompt,
    InventedQuestion,
    load_invented,
    load_prompts,
    load_questions,
)

QUESTION = {
    "id": "q-1",
    "domain": "factual",
    "wordings": ["What is the capital of France?", "Which city is the capital of France?"],
    "answers": ["Paris"],
    "popularity": 0.9,
    "source": "ours",
}
INVENTED = {
    "id": "i-1",
    "domain": "factual",
    "name": "Telmark",
    "wordings": ["Where is Telmark?", "Is Telmark far?"],
}
PROMPT = {"id": "p-1", "kind": "small_talk", "messages": [{"role": "user", "content": "Hello!"}]}
Loader = Callable[[Path], Sequence[BankQuestion | InventedQuestion | GeneralPrompt]]
FILES: list[tuple[str, dict[str, object], Loader]] = [
    ("mined.jsonl", QUESTION, load_questions),
    ("written.jsonl", QUESTION, load_questions),
    ("invented.jsonl", INVENTED, load_invented),
    ("prompts.jsonl", PROMPT, load_prompts),
]


def holds(text: str, phrase: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(phrase)}(?!\w)", text, re.IGNORECASE) is not None


def repeated(texts: list[str]) -> list[str]:
    return [text for text, count in Counter(texts).items() if count > 1]


def test_there_are_enough_questions_of_each_kind() -> None:
    assert sum(question.source != "ours" for question in load_questions()) >= 1000
    assert len(load_questions()) >= 1500
    assert len(load_invented()) >= 400
    for domain in ("factual", "code", "creative", "specialised"):
        assert sum(question.domain == domain for question in load_questions()) >= 100, domain
        assert sum(question.domain == domain for question in load_invented()) >= 100, domain


def test_no_id_names_two_questions_of_the_bank() -> None:
    assert repeated([q.id for q in (*load_questions(), *load_invented(), *load_prompts())]) == []


def test_no_wording_asks_two_questions() -> None:
    wordings = [w.lower().rstrip("?.! ") for q in (*load_questions(), *load_invented()) for w in q.wordings]
    assert repeated(wordings) == []


def test_no_wording_tells_its_answer() -> None:
    telling = [
        (question.id, wording)
        for question in load_questions()
        for wording in question.wordings
        for answer in question.answers
        if answer.lower() not in ("yes", "no") and holds(wording, answer)
    ]
    assert telling == []


def test_no_answer_is_blank_or_given_twice() -> None:
    assert [q.id for q in load_questions() if not all(re.search(r"\w", a) for a in q.answers)] == []
    assert [q.id for q in load_questions() if repeated(list(q.answers))] == []


@pytest.mark.slow
def test_invented_names_are_not_in_real_questions_or_answers() -> None:
    real = "\n".join(text for q in load_questions() for text in (*q.wordings, *q.answers)).lower()
    assert [q.name for q in load_invented() if holds(real, q.name)] == []


def test_invented_names_differ_and_each_wording_says_its_own() -> None:
    assert repeated([question.name.lower() for question in load_invented()]) == []
    assert [q.id for q in load_invented() if not all(holds(wording, q.name) for wording in q.wordings)] == []


def test_invented_questions_are_worded_as_mined_ones_but_for_the_name() -> None:
    real = [wording for q in load_questions() if q.id.startswith("mined-") for wording in q.wordings]
    for question in load_invented():
        before, after = question.wordings[0].split(question.name, 1)
        assert any(w.startswith(before) and w.endswith(after) for w in real), question.id


def test_mined_questions_have_a_popularity_that_tells_them_apart() -> None:
    known = [q.popularity for q in load_questions() if q.id.startswith("mined-")]
    assert None not in known
    shares = sorted(share for share in known if share is not None)
    assert shares[len(shares) // 10] < 0.25 < 0.6 < shares[-len(shares) // 10]


@pytest.mark.parametrize(("name", "record", "load"), FILES)
@pytest.mark.parametrize("line", ["", "{", "[]", "{}", '"text"'])
def test_a_line_that_is_no_record_is_refused_by_its_place(
    name: str, record: dict[str, object], load: Loader, line: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_text(f"{json.dumps(record)}\n{line}\n")
    with pytest.raises(ValueError, match=rf"{name}, line 2"):
        load(tmp_path)


@pytest.mark.parametrize(("name", "record", "load"), FILES)
def test_a_missing_an_unknown_and_an_empty_field_are_refused(
    name: str, record: dict[str, object], load: Loader, tmp_path: Path
) -> None:
    faulty = [{k: v for k, v in record.items() if k != field} for field in record]
    faulty += [
        {**record, field: type(value)()} for field, value in record.items() if not isinstance(value, float)
    ]
    faulty.append({**record, "unknown": 1})
    for document in faulty:
        (tmp_path / name).write_text(json.dumps(document) + "\n")
        with pytest.raises(ValueError, match=rf"{name}, line 1"):
            load(tmp_path)


@pytest.mark.parametrize(("name", "record", "load"), FILES)
def test_a_repeated_id_is_refused_by_both_places(
    name: str, record: dict[str, object], load: Loader, tmp_path: Path
) -> None:
    (tmp_path / name).write_text(f"{json.dumps(record)}\n" * 2)
    with pytest.raises(ValueError, match=rf"{name}, line 2: .*already used in {name}, line 1"):
        load(tmp_path)


def test_an_id_is_unique_over_both_files_of_questions(tmp_path: Path) -> None:
    for name in ("mined.jsonl", "written.jsonl"):
        (tmp_path / name).write_text(json.dumps(QUESTION) + "\n")
    with pytest.raises(ValueError, match=r"written\.jsonl, line 1: .*mined\.jsonl, line 1"):
        load_questions(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"popularity": 1.5},
        {"popularity": -0.1},
        {"domain": "sports"},
        {"wordings": ["Only one?"]},
        {"wordings": ["One?", "Two?", "Three?", "Four?", "Five?"]},
        {"wordings": ["What is it?", " padded "]},
        {"answers": [""]},
        {"answers": ["  "]},
    ],
)
def test_a_question_out_of_bounds_is_refused(change: dict[str, object], tmp_path: Path) -> None:
    (tmp_path / "mined.jsonl").write_text(json.dumps({**QUESTION, **change}) + "\n")
    with pytest.raises(ValueError, match=r"mined\.jsonl, line 1: \w+"):
        load_questions(tmp_path)
