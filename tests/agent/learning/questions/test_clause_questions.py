"""Questions that one clause answers: what is asked, in which words, and with which answer."""

import re

import pytest

from agent.learning.questions.clause_questions import apposition_questions, clause_questions
from agent.learning.questions.question_items import QuestionItem
from memory.ingest.propositions.sentences import sentences
from memory.language.clauses import Apposition
from tests.support.statements import at


def items(text: str) -> list[QuestionItem]:
    return [
        item
        for sentence in sentences([at(text, title="Harbour notes")])
        for clause in sentence.clauses
        for item in (
            apposition_questions(clause) if isinstance(clause, Apposition) else clause_questions(clause)
        )
    ]


def plain(text: str) -> set[tuple[str, str, str]]:
    """Form, plainest question and answer of every item."""
    return {(item.form, item.wordings[0].text, item.answer) for item in items(text) if item.wordings}


def wordings(text: str, form: str, answer: str) -> list[str]:
    return [
        w.text for item in items(text) if (item.form, item.answer) == (form, answer) for w in item.wordings
    ]


@pytest.mark.parametrize(
    ("text", "form", "question", "answer"),
    [
        ("Mara Ellwood opened the museum in 1962.", "who", "Who opened the museum in 1962?", "Mara Ellwood"),
        (
            "Mara Ellwood opened the museum in 1962.",
            "what",
            "What did Mara Ellwood open in 1962?",
            "the museum",
        ),
        ("Mara Ellwood opened the museum in 1962.", "when", "When did Mara Ellwood open the museum?", "1962"),
        ("The museum stands in Bergen.", "where", "Where does the museum stand?", "Bergen"),
        (
            "The tower was rebuilt because the old roof leaked.",
            "why",
            "Why was the tower rebuilt?",
            "the old roof leaked",
        ),
        (
            "The pump cools the engine by spraying water.",
            "how",
            "How does the pump cool the engine?",
            "by spraying water",
        ),
        ("The canal has seven locks.", "how_many", "How many locks does the canal have?", "seven"),
        (
            "There are seven locks on the canal.",
            "how_many",
            "How many locks on the canal are there?",
            "seven",
        ),
        ("The siege lasted for eleven months.", "how_much", "How long did the siege last?", "eleven months"),
        (
            "The sluice is a gate that controls the flow of water.",
            "definition",
            "What is the sluice?",
            "a gate that controls the flow of water",
        ),
        (
            "The sluice is a gate that controls the flow of water.",
            "reverse",
            "What is a gate that controls the flow of water?",
            "the sluice",
        ),
        ("The museum stands in Bergen.", "yes_no", "Does the museum stand in Bergen?", "Yes"),
        ("The ferry does not carry lorries.", "yes_no", "Does the ferry carry lorries?", "No"),
        (
            "The bridge was designed by Oskar Hahn in 1931.",
            "who",
            "Who was the bridge designed by in 1931?",
            "Oskar Hahn",
        ),
        ("Nina Falk, a Swedish printer, left.", "definition", "Who is Nina Falk?", "a Swedish printer"),
        (
            "To reset the pump, press the red button.",
            "what",
            "What should you press to reset the pump?",
            "the red button",
        ),
        (
            "To reset the pump, press the red button.",
            "how",
            "How do you reset the pump?",
            "press the red button",
        ),
        ("The pump can lift forty litres.", "what", "What can the pump lift?", "forty litres"),
    ],
)
def test_a_clause_is_asked_about_in_the_plainest_words(
    text: str, form: str, question: str, answer: str
) -> None:
    assert (form, question, answer) in plain(text)


def test_what_was_done_actively_is_asked_in_the_passive_too() -> None:
    text = "Mara Ellwood opened the museum in 1962."
    assert "What was opened by Mara Ellwood in 1962?" in wordings(text, "what", "the museum")
    assert "By whom was the museum opened in 1962?" in wordings(text, "who", "Mara Ellwood")


def test_what_was_done_to_something_is_asked_in_the_active_too() -> None:
    text = "The bridge was designed by Oskar Hahn in 1931."
    assert "Who designed the bridge in 1931?" in wordings(text, "who", "Oskar Hahn")
    assert "What did Oskar Hahn design in 1931?" in wordings(text, "what", "the bridge")


def test_states_have_no_passive() -> None:
    assert not [
        w for item in items("The canal has seven locks.") for w in item.wordings if w.style == "passive"
    ]


SENTENCES = (
    "Mara Ellwood opened the museum in 1962.",
    "The Bank of Lower Saxony bought the mill in 1988.",
    "The press (a small firm) printed nine maps of Lapland in 1925.",
    "Oskar Hahn, who designed the bridge, lived in Bergen.",
    "Nina Falk, a Swedish printer, founded the press in Lund.",
    "The museum of the city of Bergen (1931) shows seven boats.",
    "The pump filters the water and cools the engine.",
    "If the tank is empty, the pump draws air from the river.",
)
NAMES = ("Mara Ellwood", "Bank of Lower Saxony", "Oskar Hahn", "Nina Falk")


@pytest.mark.parametrize("text", SENTENCES)
def test_no_question_cuts_a_name_or_a_parenthesis(text: str) -> None:
    for item in items(text):
        for said in (item.answer, *(w.text for w in item.wordings)):
            assert said.count("(") == said.count(")")
            for name in NAMES:
                parts = {part for part in name.split() if part[0].isupper() and part in said.split()}
                assert not parts or name in said, said


@pytest.mark.parametrize("text", SENTENCES)
def test_no_question_but_yes_or_no_holds_its_answer(text: str) -> None:
    for item in items(text):
        if item.form != "yes_no":
            assert not [w.text for w in item.wordings if re.search(rf"\b{re.escape(item.answer)}\b", w.text)]


@pytest.mark.parametrize("text", SENTENCES)
def test_every_question_opens_with_a_capital_and_ends_with_its_mark(text: str) -> None:
    found = [w for item in items(text) for w in item.wordings]
    assert found
    assert all(w.text[0].isupper() or w.text[0] == "_" for w in found)
    assert all(
        w.text.endswith("." if w.style in ("cloze", "embedded") else "?")
        for w in found
        if "Is it" not in w.text
    )
    assert not [w.text for w in found if "  " in w.text or " ?" in w.text]


def test_a_condition_goes_into_the_question() -> None:
    asked = plain("If the tank is empty, the pump draws air from the river.")
    condition = "if the tank is empty"
    assert all(condition in question.lower() for _, question, answer in asked if answer.lower() != condition)
    assert ("when", "When does the pump draw air from the river?", condition) in asked
    assert ("what", "What happens if the tank is empty?", "the pump draws air from the river") in asked


def test_nobody_asks_who_you_are() -> None:
    assert not [item for item in items("You can upload seven maps.") if item.answer.lower() == "you"]


FAULTS = {
    "A sluice is a gate that controls the flow of water.": r"\b(?:is|does|by|what) A sluice",
    "The ferry does not carry lorries.": r"that the ferry carry",
    "The pump cools the engine by spraying water.": r"\bby by\b",
    "The pump can lift forty litres per minute.": r"\bper(?: what)?\?",
    "Mara Ellwood will open the museum in May.": r"At what time will",
    "Set `max_lift` to `40` to limit the pump.": r"max_lifts",
    "The mayor hoped for a new ferry.": r"\bhop\b",
}


@pytest.mark.parametrize("text", FAULTS)
def test_every_question_is_english(text: str) -> None:
    assert not [w.text for item in items(text) for w in item.wordings if re.search(FAULTS[text], w.text)]
