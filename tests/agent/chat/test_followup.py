"""A follow-up becomes a question that can be looked up; a self-contained question stays as it is."""

import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage

from agent.chat.followup import StandaloneQuestion, is_fragment, make_standalone


def _turns(*texts: str) -> list[BaseMessage]:
    return [HumanMessage(t) if i % 2 == 0 else AIMessage(t) for i, t in enumerate(texts)]


PLIMDOR = ("What is a plimdor?", "A plimdor is a small harbour boat.")


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        ("Where is it kept?", "Where is the plimdor kept?"),
        ("How heavy is it?", "How heavy is the plimdor?"),
        ("It's how old?", "The plimdor is how old?"),
        ("And its crew?", "And the plimdor's crew?"),
        ("Could you tell me where it is kept?", "Could you tell me where the plimdor is kept?"),
        ("Thanks! And where is it kept?", "Thanks! And where is the plimdor kept?"),
        (
            "What happens to it when the tide is out?",
            "What happens to the plimdor when the tide is out?",
        ),
        ("How does it differ from a barge?", "How does the plimdor differ from a barge?"),
        ("and in winter?", "What is a plimdor, and in winter?"),
        ("What about in winter?", "What is a plimdor, and in winter?"),
        ("Why?", "Why? (What is a plimdor)"),
        ("How many?", "How many? (What is a plimdor)"),
        ("Is that dangerous?", "Is that dangerous? (plimdor)"),
        ("How does this work?", "How does this work? (plimdor)"),
        ("Do they bite?", "Do they bite? (plimdor)"),
        ("Is there a museum there?", "Is there a museum there? (plimdor)"),
    ],
)
def test_what_is_left_to_the_turn_before_is_filled_in(text: str, changed: str) -> None:
    assert make_standalone(_turns(*PLIMDOR, text)) == StandaloneQuestion(text=changed, changed=True)


@pytest.mark.parametrize(
    ("turns", "text"),
    [
        (
            ("Who wrote Dune?", "Frank Herbert wrote Dune in 1965.", "When was he born?"),
            "When was Frank Herbert born?",
        ),
        (("Who wrote Dune?", "Frank Herbert.", "When was it published?"), "When was Dune published?"),
        (("Who wrote Dune?", "I don't know.", "When was he born?"), "When was he born? (Dune)"),
        (
            ("When did Marie Curie die?", "Marie Curie died in 1934 in Passy.", "Where was she born?"),
            "Where was Marie Curie born?",
        ),
        (
            ("Who was Ada Lovelace?", "She worked with Charles Babbage.", "Who was her father?"),
            "Who was Ada Lovelace's father?",
        ),
        (("What is the capital of Germany?", "Berlin.", "And Spain?"), "What is the capital of Spain?"),
        (("Tell me about France.", "A country.", "And its capital?"), "And France's capital?"),
        (
            ("What is the capital of France?", "Paris.", "How many people live there?"),
            "How many people live there? (capital of France; Paris)",
        ),
        (("What are lifetimes?", "Spans.", "Why do they matter?"), "Why do lifetimes matter?"),
        (
            ("Where does the harbour pilot sleep?", "Aboard.", "When does he eat?"),
            "When does he eat? (harbour pilot)",
        ),
        (("What does the Arc type do?", "It counts.", "Is it fast?"), "Is the Arc type fast?"),
        (("Is Pluto a planet?", "No.", "How far is it?"), "How far is it? (Pluto; planet)"),
        (("What is a mutex?", "A lock.", "How long does it last?"), "How long does the mutex last?"),
        (("What is a mutex?", "A lock.", "Does it matter?"), "Does the mutex matter?"),
        ((*PLIMDOR, "Where is it kept?", "In a shed.", "How heavy is it?"), "How heavy is the plimdor?"),
        ((*PLIMDOR, "Thanks!", "You are welcome.", "Where is it kept?"), "Where is the plimdor kept?"),
    ],
)
def test_the_thing_or_person_that_was_spoken_of_is_named(turns: tuple[str, ...], text: str) -> None:
    assert make_standalone(_turns(*turns)).text == text


@pytest.mark.parametrize(
    "text",
    [
        "Where is a fentack kept?",
        "Who wrote Dune?",
        "And who wrote Dune?",
        "Is it true that whales sleep?",
        "Is it safe to swim after eating?",
        "What time is it?",
        "Why is it raining in June?",
        "How long does it take to fly to Rome?",
        "How far is it from Rome to Naples?",
        "Does it matter whether the pump is on?",
        "when did it rain most in London?",
        "Are there snakes in Ireland?",
        'What does "it is what it is" mean?',
        "What does `this` refer to in JavaScript?",
        "Why does Rust drop a value when it goes out of scope?",
        "If a value goes out of scope, when is it dropped?",
        "Does a snail carry its shell?",
        "My friend bought a car. How fast is it?",
        "What is the book that won the prize?",
        "What is the best season this year?",
        "In what year did Rome fall?",
        "Which river flows through Lyon?",
        "capital of Mongolia",
        "Define entropy",
    ],
)
def test_a_self_contained_question_is_left_alone(text: str) -> None:
    assert make_standalone(_turns(*PLIMDOR, text)) == StandaloneQuestion(text=text, changed=False)


@pytest.mark.parametrize(
    ("first", "text", "named"),
    [
        ("Was ist ein Plimdor?", "Wo liegt er?", "Plimdor"),
        ("Was ist ein Plimdor?", "Und im Winter?", "Plimdor"),
        ("Qui a fondé Lyon ?", "Et quand est-elle devenue romaine ?", "Lyon"),
        ("¿Cuál es la capital de Perú?", "¿Y su moneda?", "Perú"),
        ("Qual è la capitale del Perù?", "E la sua moneta?", "Perù"),
        ("Кто написал роман Идиот?", "Когда он родился?", "Идиот"),
        ("法国的首都在哪里", "那德国呢", "法国"),
    ],
)
def test_in_other_languages_the_words_of_the_question_before_are_appended(
    first: str, text: str, named: str
) -> None:
    found = make_standalone(_turns(first, "...", text)).text
    assert found.startswith(f"{text} (")
    assert named in found


def test_in_other_languages_a_whole_question_is_left_alone() -> None:
    text = "Wer hat die Zauberflöte komponiert?"
    assert make_standalone(_turns("Was ist ein Plimdor?", "Ein Boot.", text)) == StandaloneQuestion(
        text=text, changed=False
    )


def test_without_an_earlier_question_nothing_can_be_filled_in() -> None:
    text = "Where is it kept?"
    for messages in (
        [HumanMessage(text)],
        _turns("hi", "Hello!", text),
        [AIMessage("Hello!"), HumanMessage(text)],
    ):
        assert make_standalone(messages) == StandaloneQuestion(text=text, changed=False)


def test_a_conversation_without_a_user_message_is_refused() -> None:
    with pytest.raises(ValueError, match="user message"):
        make_standalone([SystemMessage("Be brief.")])


def test_a_long_chain_of_follow_ups_still_finds_a_topic_nearby() -> None:
    turns = ["What is a plimdor?", "A boat."] + ["Why is it so?", "Because."] * 40 + ["Where is it kept?"]
    assert "plimdor" in make_standalone(_turns(*turns)).text


@pytest.mark.parametrize("first", ["Was ist das?", "¿Qué es?", "Hi", "?", "\u2026", "它是什么"])
@pytest.mark.parametrize(
    "text",
    ["Are they safe?", "and what about  ", "and ?", "And?", "but \u2026", "Its?", "the ones?", "'s", "-"],
)
def test_odd_turns_are_taken(first: str, text: str) -> None:
    assert make_standalone(_turns(first, "...", text)).text
    assert make_standalone(_turns(text, "...", first)).text


@pytest.mark.parametrize(
    "text",
    ["and in winter?", "What about Spain?", "Why?", "How many?", "And its crew?", "in winter?",
     "and what about  ", "but \u2026", "Und im Winter?", "And?", "and ?"],
)  # fmt: skip
def test_a_message_that_only_continues_the_one_before_is_a_fragment(text: str) -> None:
    assert is_fragment(text)


@pytest.mark.parametrize(
    "text",
    ["Are they safe?", "Who wrote Dune?", "And who wrote Dune?", "Its?", "the ones?", "Hi", "'s", "-", "?",
     "", "Was ist das?", "and " * 10_000],
)  # fmt: skip
def test_a_message_that_asks_or_says_something_itself_is_no_fragment(text: str) -> None:
    assert not is_fragment(text)
