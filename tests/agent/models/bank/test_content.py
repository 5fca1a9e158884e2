"""Our questions, prompts and study cases: each can be graded and none gives itself away."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import agent
from agent.grading import is_correct, normalise

MODELS = Path(agent.__file__).parent / "models"
DOMAINS = ("factual", "code", "creative", "specialised")
KINDS = {
    "small_talk": 50,
    "instruction": 90,
    "code": 40,
    "arithmetic": 30,
    "system_prompt": 30,
    "several_turns": 40,
    "language": 40,
}


def read(path: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (MODELS / path).read_text(encoding="utf-8").splitlines()]


QUESTIONS = read("bank/written.jsonl")
PROMPTS = read("bank/prompts.jsonl")
JUDGED = read("study/judge_cases.jsonl")
TOOLS = read("study/tool_cases.jsonl")


def test_no_wording_contains_its_own_answer() -> None:
    assert not [(q["id"], w) for q in QUESTIONS for w in q["wordings"] if is_correct(w, q["answers"])]


def test_grading_accepts_each_accepted_answer_and_tells_them_apart() -> None:
    for question in QUESTIONS:
        assert all(is_correct(f"It is {answer}.", question["answers"]) for answer in question["answers"])
        assert len({normalise(answer) for answer in question["answers"]}) == len(question["answers"])


def test_no_wording_is_asked_twice() -> None:
    counts = Counter(normalise(wording) for question in QUESTIONS for wording in question["wordings"])
    assert not [wording for wording, count in counts.items() if count > 1]


@pytest.mark.parametrize("domain", DOMAINS)
def test_each_domain_has_sixty_widely_known_and_sixty_rarely_known_questions(domain: str) -> None:
    popularities = [question["popularity"] for question in QUESTIONS if question["domain"] == domain]
    assert sum(popularity >= 0.7 for popularity in popularities) >= 60
    assert sum(popularity <= 0.25 for popularity in popularities) >= 60


def test_prompts_cover_each_kind_and_none_is_repeated() -> None:
    counts = Counter(prompt["kind"] for prompt in PROMPTS)
    assert all(counts[kind] >= least for kind, least in KINDS.items())
    texts = Counter(json.dumps(prompt["messages"]).lower() for prompt in PROMPTS)
    assert max(texts.values()) == 1


def test_each_prompt_ends_with_the_user_and_turns_alternate() -> None:
    for prompt in PROMPTS:
        roles = [message["role"] for message in prompt["messages"]]
        turns = roles[1:] if roles[0] == "system" else roles
        assert turns == [("user", "assistant")[i % 2] for i in range(len(turns))]
        assert roles[-1] == "user"


def test_judge_cases_are_balanced_and_no_answer_is_repeated() -> None:
    assert sum(case["right"] for case in JUDGED) * 2 == len(JUDGED) == 60
    assert len({case["answer"] for case in JUDGED}) == len(JUDGED)


def test_tool_cases_say_what_a_query_holds_exactly_where_the_tool_is_needed() -> None:
    assert len(TOOLS) == 20
    for case in TOOLS:
        assert bool(case["must_contain"]) == case["needs_tool"]
        said = json.dumps(case["messages"], ensure_ascii=False).lower()
        assert all(word.lower() in said for word in case["must_contain"])
