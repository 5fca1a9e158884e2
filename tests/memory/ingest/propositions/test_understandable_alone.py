"""Facts that a reader who has not read the text understands, and that say no more than the text does."""

import pytest

from memory.ingest.propositions.facts import extract_facts
from tests.support.statements import at


def rows(text: str, *, title: str = "Harbour notes", section: str = "") -> list[tuple[str, str, str, str]]:
    found = extract_facts([at(text, title=title, section=section)])
    return [(f.subject, f.relation, f.object, f.condition) for f in found]


def said(text: str, *, title: str = "Harbour notes", section: str = "") -> list[tuple[str, str, str]]:
    return [row[:3] for row in rows(text, title=title, section=section)]


def test_a_short_definite_takes_the_full_name_given_before() -> None:
    found = said("The town opened the Marsk Maritime Museum in 1931. The museum shows old sails.")
    assert ("the Marsk Maritime Museum", "shows", "old sails") in found


def test_a_short_definite_takes_the_name_that_its_noun_was_said_of() -> None:
    found = said("Norlund Airways was an airline in Bergen. The airline carried freight.")
    assert ("Norlund Airways", "carried", "freight") in found


def test_a_short_definite_takes_the_name_of_its_page() -> None:
    assert ("the Marsk canal", "crosses", "two counties") in [
        (s.replace("Canal", "canal"), r, o)
        for s, r, o in said("The canal crosses two counties.", title="Marsk Canal")
    ]


@pytest.mark.parametrize(
    "text",
    [
        "The conference drew forty sailors.",
        "Oskar Hahn wrote a report on tides and a report on sand. The report angered the mayor.",
        "Nina Falk sold the company.",
    ],
)
def test_a_short_definite_that_nothing_names_says_nothing(text: str) -> None:
    assert not any({"the conference", "the report", "the company"} & {s, o} for s, _, o in said(text))


def test_a_pronoun_may_stand_for_what_cannot_be_named_and_then_stands_for_nothing() -> None:
    text = "This custom still holds in towns where trade grows, but in recent decades it has slowed in ports."
    assert not any(r.startswith("has slowed") for _, r, _ in said(text))


def test_a_persons_owner_is_not_mistaken_for_that_person() -> None:
    found = said("Oskar's father promised to send him to a school if he recovered.")
    assert not any("father to a school" in o or "father recovered" in o for _, _, o in found)


def test_what_stands_in_quotation_marks_is_somebodys_word() -> None:
    text = 'Nina Falk answered, "The mayor hid the letters in his own cellar for many years."'
    assert not any(s.lower() == "the mayor" for s, _, _ in said(text))


def test_what_somebody_also_argues_is_not_asserted() -> None:
    text = "Oskar Hahn argued that the bridge was weak (and old), and that the mayor would be a bad judge."
    assert not any(s == "the mayor" for s, _, _ in said(text))


def test_coordinated_verbs_share_the_modal_and_not_the_passive() -> None:
    found = said("The pump would have been used for tests and contribute no new knowledge.")
    assert not any("been contribute" in r for _, r, _ in found)


def test_a_condition_before_coordinated_verbs_holds_for_both() -> None:
    found = rows("If the tank is empty, the pump draws air and stops the engine.")
    assert {condition for *_, condition in found} == {"if the tank is empty"}


def test_a_condition_behind_the_second_verb_is_not_the_firsts() -> None:
    found = rows("The pump will check the tank and stop the engine if the river is low.")
    assert all(c == "" for _, r, _, c in found if r == "will check")


@pytest.mark.parametrize(
    "text",
    [
        "In this case, a colon must precede the number.",
        "In such weather the ferry carries salt.",
        "Both men lowered the sail.",
        "Several have set records.",
    ],
)
def test_what_points_back_says_nothing_alone(text: str) -> None:
    assert said(text) == []


def test_an_adverb_of_degree_comes_along() -> None:
    assert ("sailors", "are usually", "brave") in said("Sailors are usually brave.")


def test_a_purpose_comes_along() -> None:
    (row,) = rows("The pump uses a valve to stop the water.")
    assert "to stop the water" in " ".join(row)


def test_a_relative_clause_speaks_of_the_last_of_several() -> None:
    found = said("The list names the Hahn pump, which is fast but has a flaw, and the Falk pump.")
    assert not any("Falk" in s and "flaw" in o for s, _, o in found)


def test_a_remark_about_the_thing_before_it_is_said_of_that_thing() -> None:
    assert ("a small valve", "stops", "the water") in said(
        "The pump has a small valve, which stops the water."
    )


def test_a_participle_without_a_comma_describes_the_noun_before_it() -> None:
    found = said("In 1755, the army took a fort on the border separating two provinces.")
    assert not any("separate" in r for _, r, _ in found)


def test_a_word_of_a_name_is_no_verb() -> None:
    assert not any(r == "Kicked" for _, r, _ in said("Anna read The Girl Who Kicked the Nest in Oslo."))


def test_a_row_of_a_table_is_no_sentence() -> None:
    assert said("| Group | The pump cools the engine |") == []


def test_what_the_reader_can_do_is_said_of_the_thing() -> None:
    assert ("the cache", "can be disabled with", "the no-cache flag") in said(
        "You can disable the cache with the no-cache flag."
    )


def test_an_instruction_with_a_purpose_tells_what_the_thing_is_for() -> None:
    found = said("Press the red button to reset the pump.")
    assert ("the red button", "is pressed to", "reset the pump") in found


@pytest.mark.parametrize("text", ["Press the red button.", "You can see the pump.", "You have it."])
def test_a_bare_instruction_says_nothing(text: str) -> None:
    assert said(text) == []


def test_this_option_is_the_one_that_the_heading_names() -> None:
    found = said(
        "This option limits the number of pumps.", title="Settings", section="Settings > `max_pumps`"
    )
    assert any("max_pumps" in s and r == "limits" for s, r, _ in found)


def test_marks_of_tabs_and_boxes_are_no_prose() -> None:
    assert said('!!! note "The pump cools the engine"\n\n=== "The ferry carries salt"\n') == []


def test_a_range_keeps_its_end() -> None:
    assert any(
        "1299 to 1323" in " ".join(row) for row in rows("The Norlund Empire lasted from 1299 to 1323.")
    )


@pytest.mark.parametrize(
    "text", ["Ten players were chosen for the regatta.", "Both have a keel.", "The other ships carried salt."]
)
def test_what_is_only_counted_out_of_something_says_nothing(text: str) -> None:
    assert said(text) == []


def test_a_list_of_things_has_no_description() -> None:
    text = "The Falk Electra, Hahn 98, Marsk Regal, and other large ferries became popular in 1931."
    assert not any(f.rule == "apposition" for f in extract_facts([at(text)]))
