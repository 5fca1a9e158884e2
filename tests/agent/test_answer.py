"""Questions are put plainly; an answer from sources counts only with a sentence that supports it."""

import pytest

from agent.answer import (
    CONTEXT_WORDS,
    citations,
    conversation,
    excerpts,
    from_sources,
    in_turns,
    question_of,
    with_results,
)
from agent.engine import NEED_INFO
from agent.wordings import with_context
from tests.facts import fact, findings, passage, rust

HOME, FACTS = rust()
FOUND = findings(*FACTS, passages=(HOME,))


def test_the_question_is_the_last_user_message() -> None:
    turns = conversation([("user", "Hi"), ("assistant", "Hello"), ("user", " What is a move? ")])
    assert question_of(turns) == "What is a move?"


@pytest.mark.parametrize("roles", [[], [("system", "Be brief.")], [("user", "  ")]])
def test_a_conversation_without_a_question_is_refused(roles: list[tuple[str, str]]) -> None:
    with pytest.raises(ValueError, match="user message"):
        question_of(conversation(roles))


def test_an_unknown_role_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="'robot'"):
        conversation([("robot", "x")])


def test_a_model_of_single_questions_gets_the_last_one_alone() -> None:
    turns = conversation([("system", "Be brief."), ("user", "Hi"), ("assistant", "Hello"), ("user", "Why?")])
    (message,) = with_results(turns)
    assert (message.type, message.text) == ("human", "Why?")


def test_a_model_of_single_questions_reads_what_tools_said_since_the_question_as_its_context() -> None:
    turns = conversation(
        [
            ("user", "How is Oslo?"),
            ("tool", "weather: rain"),
            ("user", "How is Rome?"),
            ("assistant", "[called weather]"),
            ("tool", "weather: sunny"),
            ("tool", "wind: none"),
        ]
    )
    (message,) = with_results(turns)
    assert message.text == with_context("How is Rome?", ["weather: sunny", "wind: none"])


def test_a_model_of_conversations_gets_all_turns_with_roles_that_alternate() -> None:
    turns = conversation(
        [
            ("system", "Be brief."),
            ("user", "How is Rome?"),
            ("assistant", "[called weather]"),
            ("tool", "weather: sunny"),
            ("tool", "wind: none"),
            ("user", "Well?"),
        ]
    )
    told = in_turns(turns)
    assert [turn.type for turn in told] == ["system", "human", "ai", "human"]
    assert all(said in told[-1].text for said in ("weather: sunny", "wind: none", "Well?"))
    assert question_of(turns) == "Well?"


def test_the_sentence_about_the_subject_is_in_the_excerpts_and_they_stay_short() -> None:
    filler = passage(
        " ".join(f"Sentence {n} tells of rain and little else." for n in range(60)), source="rain.md"
    )
    texts = excerpts("What is a string slice?", findings(*FACTS, passages=(filler, HOME)))
    assert "A string slice is a reference to a part of a string." in " ".join(texts)
    assert sum(len(t.split()) for t in texts) <= CONTEXT_WORDS


def test_the_prompt_holds_context_and_question_in_one_user_turn() -> None:
    (message,) = from_sources("What is a move?", FOUND)
    assert message.type == "human"
    assert "transfer of a value" in message.text
    assert message.text.endswith("What is a move?")


def test_a_supported_answer_is_cited_with_its_exact_span() -> None:
    (cited,) = citations("What is a move?", "A transfer of a value to a new owner.", FOUND)
    assert cited.quote == FACTS[0].sentence
    assert HOME.text[cited.start : cited.end] == cited.quote


@pytest.mark.parametrize(
    "answer",
    [
        "a gift of a value",
        "",
        f"{NEED_INFO} The sources do not say.",
        "a reference to a part of a string",
        "No",
    ],
)
def test_an_answer_that_no_sentence_about_the_subject_states_has_no_citation(answer: str) -> None:
    assert citations("What is a move?", answer, FOUND) == ()


def test_a_sentence_about_another_thing_of_similar_name_supports_nothing() -> None:
    text = (
        "A mutable reference is a pointer that changes a value. A shared reference is a pointer that reads."
    )
    home = passage(text)
    mutable, shared = (
        fact(f"{name} reference", "definition", thing, f"A {name} reference is {thing}.", within=home)
        for name, thing in (
            ("mutable", "a pointer that changes a value"),
            ("shared", "a pointer that reads"),
        )
    )
    found = findings(mutable, shared, passages=(home,))
    question = "What is a mutable reference?"
    assert citations(question, mutable.object, found)
    assert not citations(question, shared.object, found)
    plural = fact("mutable references", "definition", mutable.object, mutable.sentence, within=home)
    both = findings(mutable, plural, shared, passages=(home,))
    assert not citations(question, shared.object, both), "one name in two spellings is one thing"


def test_a_yes_needs_one_sentence_with_everything_asked() -> None:
    assert citations("Is a move a transfer?", "Yes.", FOUND)
    assert citations("Is a move a fruit?", "Yes.", FOUND) == ()
