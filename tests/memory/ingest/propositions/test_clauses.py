"""Clauses of prose: who does what, as the text asserts it, and nothing that it does not."""

import pytest

from memory.ingest.propositions.sentences import sentences
from memory.language.clauses import Apposition, Clause
from memory.language.verb_groups import stated
from tests.support.statements import at


def read(text: str, *, title: str = "Harbour notes") -> list[Clause | Apposition]:
    return [each for sentence in sentences([at(text, title=title)]) for each in sentence.clauses]


def clauses(text: str) -> list[Clause]:
    return [each for each in read(text) if isinstance(each, Clause)]


def said(text: str) -> list[tuple[str, ...]]:
    """Subject, verb and arguments of each clause."""
    return [
        (each.subject.text if each.subject else "", stated(each), *(a.text for a in each.arguments))
        for each in clauses(text)
    ]


@pytest.mark.parametrize(
    ("text", "verb", "past"),
    [
        ("The pump filters the water.", "filters", False),
        ("The pump filtered the water.", "filtered", True),
        ("The pump has filtered the water.", "has filtered", False),
        ("The pump will filter the water.", "will filter", False),
    ],
)
def test_the_tense_is_the_texts(text: str, verb: str, past: bool) -> None:
    (clause,) = clauses(text)
    assert (stated(clause), clause.past) == (verb, past)
    assert said(text) == [("the pump", verb, "the water")]


def test_a_passive_keeps_who_did_it_apart() -> None:
    (clause,) = clauses("The bridge was designed by Oskar Hahn in 1931.")
    assert clause.passive
    agent = clause.first("agent")
    assert agent is not None
    assert (agent.phrase.text, agent.marker) == ("Oskar Hahn", "by")


def test_modal_verbs_stay_in_the_verb_group() -> None:
    assert said("The pump can lift forty litres.") == [("the pump", "can lift", "forty litres")]
    assert said("Visitors must not feed the gulls.") == [("visitors", "must not feed", "the gulls")]


def test_a_condition_is_kept_with_what_it_limits_and_not_asserted_itself() -> None:
    (clause,) = clauses("If the tank is empty, the pump draws air from the river.")
    assert clause.condition is not None
    assert clause.condition.text == "if the tank is empty"
    assert clause.subject is not None
    assert clause.subject.text == "the pump"


@pytest.mark.parametrize(
    "text", ["The ferry does not carry lorries.", "The ferry never carries lorries.", "The ferry isn't red."]
)
def test_what_is_denied_is_marked(text: str) -> None:
    (clause,) = clauses(text)
    assert clause.negated


def test_a_pronoun_stands_for_the_last_subject_that_fits() -> None:
    found = said("Nina Falk founded the press in 1920. She moved it to Lund in 1931.")
    assert found[1][0] == "Nina Falk"
    assert found[1][2] == "the press"


def test_a_pronoun_for_one_of_two_people_of_its_own_sentence_is_left_out() -> None:
    found = said("Anna Berg wrote a letter and Nina Falk printed a book before she left Oslo.")
    assert not any("she" in " ".join(each).lower().split() for each in found)


@pytest.mark.parametrize("text", ["He repaired the pump.", "They repaired the pump.", "This stops the pump."])
def test_a_clause_whose_subject_cannot_be_told_is_left_out(text: str) -> None:
    assert clauses(text) == []


def test_the_speakers_of_a_text_are_nobody() -> None:
    assert clauses("We repaired the pump. I like my boat.") == []


@pytest.mark.parametrize(
    "text",
    [
        "The mayor closed the mine in 1931.",
        "The US bought the island in 1867.",
        "World War I ended the trade in 1914.",
        "Elizabeth I founded the harbour in 1570.",
    ],
)
def test_a_noun_or_numeral_that_looks_like_a_speaker_is_none(text: str) -> None:
    assert len(clauses(text)) == 1


def test_a_relative_clause_is_about_the_name_before_it() -> None:
    found = said("Oskar Hahn, who designed the bridge, lived in Bergen.")
    assert ("Oskar Hahn", "designed", "the bridge") in found
    assert ("Oskar Hahn", "lived", "in Bergen") in found


def test_a_relative_clause_about_a_thing_belongs_to_its_phrase() -> None:
    (clause,) = clauses("The sailors feared the storm that sank the ferry.")
    assert clause.arguments[0].phrase.text == "the storm that sank the ferry"


def test_an_apposition_names_one_thing_twice() -> None:
    (found,) = [
        each
        for each in read("Nina Falk, a Swedish printer, founded the press.")
        if isinstance(each, Apposition)
    ]
    assert (found.name.text, found.description.text) == ("Nina Falk", "a Swedish printer")
    assert said("Nina Falk, a Swedish printer, founded the press.") == [("Nina Falk", "founded", "the press")]


def test_coordinated_verbs_share_their_subject() -> None:
    assert said("The pump filters the water and cools the engine.") == [
        ("the pump", "filters", "the water"),
        ("the pump", "cools", "the engine"),
    ]


def test_what_there_is_is_the_subject_of_an_existential_clause() -> None:
    (clause,) = clauses("There are seven locks on the canal.")
    assert clause.existential
    assert clause.subject is not None
    assert clause.subject.text.startswith("seven locks")


def test_an_instruction_has_no_subject() -> None:
    (clause,) = clauses("To reset the pump, press the red button.")
    assert clause.subject is None
    assert [a.text for a in clause.arguments if a.role == "object"] == ["the red button"]


@pytest.mark.parametrize(
    "text",
    [
        "Who designed the bridge?",
        "Is the pump red?",
        "What a lovely harbour",
        "40 50 60 70",
        "...",
    ],
)
def test_questions_and_what_is_no_sentence_have_no_clauses(text: str) -> None:
    assert clauses(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "Oskar Hahn said that the bridge was too narrow.",
        "Many sailors believe that the island is cursed.",
        "The mayor feared that the ferry would sink.",
    ],
)
def test_what_others_say_believe_or_fear_is_not_asserted(text: str) -> None:
    assert [each.verb.lemma_ for each in clauses(text)] in (["say"], ["believe"], ["fear"])


def test_what_somebody_found_out_is_asserted() -> None:
    assert ("the bridge", "was", "too narrow") in said(
        "Oskar Hahn discovered that the bridge was too narrow."
    )


def test_reading_again_finds_the_same() -> None:
    text = "Nina Falk founded the press. She moved it. There are seven locks on the canal."
    assert said(text) == said(text)
