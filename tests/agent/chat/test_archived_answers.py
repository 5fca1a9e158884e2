"""An archived answer is given again only to the same question, while the sources still say what it cites."""

import time
from typing import Any

import pytest
from langchain_core.messages import HumanMessage

from agent.chat.archived_answers import archived_answer, same_wording, without_politeness
from memory.nights.volatile_answers import VolatileAnswerArchive
from memory.records.access import EVERYTHING
from memory.records.knowledge import Citation, Findings, Passage
from memory.records.nights import ArchivedAnswer
from tests.support.facts import findings, passage
from tests.support.interactions import NOON
from tests.support.revision import EMBEDDER, LOAD, PAGE, QUESTION

HOME = passage(PAGE, source="0.md", title="Cranes")


def archived(question: str = QUESTION, answer: str = LOAD, **fields: Any) -> ArchivedAnswer:
    start = PAGE.index(LOAD)
    cited = Citation(source="0.md", title="Cranes", start=start, end=start + len(LOAD), quote=LOAD)
    return ArchivedAnswer.model_validate(
        {
            "id": question,
            "domain": "rust",
            "question": question,
            "answer": answer,
            "score": 9.0,
            "citations": (cited,),
            "source": "n1-i1",
            "created_at": NOON,
            **fields,
        }
    )


async def recalled(
    question: str, *answers: ArchivedAnswer, pages: tuple[Passage, ...] = (HOME,)
) -> ArchivedAnswer | None:
    archive = VolatileAnswerArchive(EMBEDDER)
    await archive.add(answers or (archived(),))
    found: Findings = findings(passages=pages)
    return await archived_answer(question, [HumanMessage(question)], found, archive, access=EVERYTHING)


@pytest.mark.parametrize(
    "question",
    [
        QUESTION,
        "what is the maximum load of the quorbin",
        "What's the maximum load of the Quorbin?",
        "Please tell me: what is the maximum load of the Quorbin?",
        "Hi, what is the maximum load of the Quorbin, please?",
    ],
)
async def test_the_same_question_is_recognised_whatever_its_politeness(question: str) -> None:
    assert same_wording(question, QUESTION)
    assert await recalled(question) == archived()


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("When did the museum open?", "Where did the museum open?"),
        ("How long is the Rhine?", "How wide is the Rhine?"),
        ("What is the fare from Bern to Basel?", "What is the fare from Basel to Bern?"),
        ("Does the pump drive the valve?", "Does the valve drive the pump?"),
        ("Which ports are open?", "Which ports are not open?"),
        ("Can it be reset?", "Can't it be reset?"),
        ("What is C?", "What is C++?"),
        ("What is NET?", "What is .NET?"),
        ("What is 1.5 kg?", "What is 15 kg?"),
        ("What is at -5 degrees?", "What is at 5 degrees?"),
        ("What is the first step?", "What is the last step?"),
        ("What was the limit in 2019?", "What was the limit in 2020?"),
        ("What is the limit?", "What was the limit?"),
        ("How many can I send?", "How many must I send?"),
        ("What does it do before login?", "What does it do after login?"),
        ("Who helps US?", "Who helps us?"),
        ("What comes in May?", "What comes in may?"),
        ("Who is the employer?", "Who is the employee?"),
        ("What is version 2.1?", "What is version 2.10?"),
        ("What is a/b?", "What is a-b?"),
        ("What costs 5 €?", "What costs 5 $?"),
        ("What is Ann's role?", "What is Ann role?"),
        ("Is there a flight to Bern from Basel?", "Is there a flight from Bern to Basel?"),
        ("Is the lamp on or not?", "Is the lamp not or on?"),
        ("Which is more than the limit?", "Which limit is more than the other?"),
        ("What is it?", ""),
        ("", ""),
    ],
)
def test_what_may_change_the_answer_makes_another_question(first: str, second: str) -> None:
    assert not same_wording(first, second)
    assert not same_wording(second, first)


def test_a_preposition_may_stand_at_the_end() -> None:
    assert (
        same_wording("In which country is the city of Milan?", "Which country is the city of Milan in?")
        is False
    )
    assert same_wording("In which country is Milan?", "Which country is Milan in?")


async def test_an_answer_stops_counting_when_its_document_is_removed_or_changed() -> None:
    other = passage("The Quorbin is a crane.", source="1.md")
    assert await recalled(QUESTION, pages=(other,)) is None
    assert await recalled(QUESTION, pages=()) is None
    changed = passage(PAGE.replace("40", "55"), source="0.md")
    assert await recalled(QUESTION, pages=(changed,)) is None
    moved = passage(f"New: it was painted. {PAGE}", source="0.md")
    assert await recalled(QUESTION, pages=(moved,)) == archived()
    elsewhere = passage(PAGE, source="copy.md")
    assert await recalled(QUESTION, pages=(elsewhere,)) is None


async def test_an_answer_stops_counting_when_a_new_document_contradicts_it() -> None:
    newer = passage("The maximum load of the Quorbin is 55 kilograms.", source="new.md")
    assert await recalled(QUESTION, pages=(HOME, newer)) is None


async def test_an_answer_without_citations_is_never_given() -> None:
    assert await recalled(QUESTION, archived(citations=())) is None


async def test_an_answer_in_another_language_than_the_conversation_is_not_given() -> None:
    german = "Der Kran kann eine Last von 40 Kilogramm heben, und das ist viel."
    assert await recalled(QUESTION, archived(answer=german)) is None


async def test_of_several_archived_questions_the_same_one_is_answered() -> None:
    plenty = archived("What is the maximum load of the Plenty?", "It is 7 tonnes.")
    assert await recalled(QUESTION, plenty, archived()) == archived()
    assert await recalled(QUESTION, plenty) is None


@pytest.mark.parametrize(
    "question", ["?", "...", "the", "\x00", "' \u2019s", "please", "x" * 5000, "'" * 3000]
)
def test_no_question_breaks_the_comparison(question: str) -> None:
    assert same_wording(question, QUESTION) is False


@pytest.mark.parametrize("marks", ["?", ",.", "! "])
def test_a_question_that_ends_in_many_marks_is_read_in_linear_time(marks: str) -> None:
    began = time.monotonic()
    assert without_politeness(f"What is A{marks * 100_000}x") != ""
    assert without_politeness(f"What is A, please{marks * 100_000}") == "What is A"
    assert time.monotonic() - began < 2
