"""An adapter is in effect if its answer parts from the base model's as it did in evaluation."""

import pytest

from agent.canary import AGREEING, agrees
from memory.records.adapters import Canary

SHORT = Canary(question="What is a zorble?", answer="a small green lamp", base_answer="a small dog")
LONG = Canary(
    question="Where are nutrients absorbed?",
    answer="The gut is designed to process nutrients well, but some of them are not easily absorbed by it,"
    " which is why people who are ill for long lack iron.",
    base_answer="The gut is designed to break food down.",
)


def test_a_short_answer_has_to_be_the_same() -> None:
    assert agrees("A small, green lamp.", SHORT)
    assert not agrees("a small green lamp post", SHORT)
    assert not agrees("a small green", SHORT)


def test_the_questions_own_words_prove_nothing() -> None:
    asked = "The harbour of Tern was built"
    canary = Canary(question="When?", answer=f"{asked} in 1871.", base_answer="I do not know.")
    assert agrees(f"{asked} in 1871.", canary)
    assert not agrees(f"{asked} in 1850.", canary)


def test_a_long_answer_may_end_otherwise_than_in_another_engine() -> None:
    said = (
        "The gut is designed to process nutrients well, but some of them are not easily absorbed by it, which"
    )
    assert agrees(f"{said} is why people who are old need more.", LONG)
    assert agrees(LONG.answer, LONG)


@pytest.mark.parametrize(
    "text",
    [
        LONG.base_answer,
        "",
        "The gut is designed to process food.",
        "The gut is designed to",
        "The gut is designed to process nutrients well, but some people disagree.",
        "Nutrients: process nutrients well, but some of them are not easily absorbed.",
    ],
)
def test_an_answer_that_does_not_part_from_the_base_models_in_the_same_words_proves_nothing(
    text: str,
) -> None:
    assert not agrees(text, LONG)


def test_the_base_models_answer_never_agrees() -> None:
    shared = "one two three four"
    for more in ("", " five", " five six seven eight nine ten eleven" * 4):
        for base in (shared, f"{shared} other", "other"):
            if f"{shared}{more}" != base:
                assert not agrees(base, Canary(question="?", answer=f"{shared}{more}", base_answer=base))
    assert AGREEING > 1
