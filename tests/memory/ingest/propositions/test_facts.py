"""Facts of passages: exact in their place, from prose and structure only, the same each time."""

import pytest

from memory.ingest.propositions.facts import LONGEST_OBJECT, extract_facts
from memory.records.knowledge import Fact, Passage
from tests.support.statements import DEVICES, at

PROSE = """## The **press**

Nina Falk, a *Swedish* printer, founded the [press](press.md) in 1920. She moved it to Lund
in 1931, and the press printed `seven` atlases there.

- The ferry does not carry lorries.
"""


def said(*passages: Passage) -> list[tuple[str, str, str]]:
    return [(f.subject, f.relation, f.object) for f in extract_facts(passages)]


@pytest.mark.parametrize(
    "text", [PROSE, DEVICES, "Ünï cooled the pümp — quickly. The pump \u201cstops\u201d ships."]
)
def test_every_fact_points_at_the_very_words_that_state_it(text: str) -> None:
    passage = at(text).model_copy(update={"start": 700, "end": 700 + len(text)})
    found = extract_facts([passage])
    assert found
    for fact in found:
        assert passage.text[fact.start - 700 : fact.end - 700] == fact.sentence
        assert fact.passage_id == passage.id


def test_prose_gives_who_did_what_in_free_words() -> None:
    found = said(at(PROSE, title="The press"))
    assert ("Nina Falk", "is", "a Swedish printer") in found
    assert ("Nina Falk", "founded", "the press") in found
    assert [
        f.condition for f in extract_facts([at(PROSE, title="The press")]) if f.relation == "founded"
    ] == ["in 1920"]


def test_what_is_denied_says_so() -> None:
    (fact,) = extract_facts([at("The ferry does not carry lorries.")])
    assert fact.negated
    assert fact.relation == "does not carry"


def test_a_condition_comes_along() -> None:
    found = extract_facts([at("If the tank is empty, the pump draws air from the river.")])
    assert {fact.condition for fact in found} == {"if the tank is empty"}


def test_tables_are_read_by_their_headers() -> None:
    assert {("Plenty", "voltage", "24 volts"), ("Marsk", "maximum load", "70 kilograms")} <= set(
        said(at(DEVICES, section="Device limits"))
    )


@pytest.mark.parametrize(
    "text",
    [
        "```\nThe pump cools the engine.\n```\n",
        "# The pump cools the engine\n",
        "Die Pumpe k\u00fchlt den Motor und der Fluss f\u00fchrt Wasser.",
        "La pompe refroidit le moteur du bateau.",
        "\u30dd\u30f3\u30d7\u306f\u30a8\u30f3\u30b8\u30f3\u3092\u51b7\u3084\u3059\u3002",
        "asdf qwer zxcv, uiop hjkl; 12 34 56 -- ++ ??",
        "Who cooled the engine?",
        "",
    ],
)
def test_nothing_comes_from_code_headings_other_languages_and_noise(text: str) -> None:
    assert extract_facts([at(text)]) == ()


def test_long_objects_name_nothing_and_stay_out() -> None:
    long = "The pump lifts " + " and ".join(f"barrel number {n}" for n in range(12)) + "."
    assert all(len(fact.object.split()) <= LONGEST_OBJECT for fact in extract_facts([at(long)]))


def test_a_fact_is_kept_once_and_never_joins_a_thing_with_itself() -> None:
    found = extract_facts([at("The pump cools the engine. The pump cools the engine.")])
    assert len({fact.id for fact in found}) == len(found)
    assert all(
        fact.subject.lower() != fact.object.lower() for fact in extract_facts([at(PROSE), at(DEVICES)])
    )


def ids(found: tuple[Fact, ...]) -> list[str]:
    return [fact.id for fact in found]


def test_the_same_passages_give_the_same_facts_alone_or_together() -> None:
    one, two = at(PROSE), at(DEVICES, section="Device limits")
    assert extract_facts([one, two]) == extract_facts([one, two])
    assert set(ids(extract_facts([one, two]))) == {*ids(extract_facts([one])), *ids(extract_facts([two]))}


@pytest.mark.parametrize(
    ("text", "relation", "object_"),
    [
        ("No lamp is lit on the quay.", "is not lit on", "the quay"),
        ("The old ferry carried no lorries.", "did not carry", "lorries"),
    ],
)
def test_no_before_a_noun_denies_the_fact(text: str, relation: str, object_: str) -> None:
    (fact,) = extract_facts([at(text)])
    assert (fact.relation, fact.object, fact.negated) == (relation, object_, True)


def test_no_more_than_is_a_bound_and_no_denial() -> None:
    assert not any(fact.negated for fact in extract_facts([at("The ferry carries no more than nine cars.")]))


@pytest.mark.parametrize(
    ("text", "facts"),
    [
        (
            "Nina Falk (4 September 1947 \u2013 11 May 2016) was a Swedish printer.",
            {("was born on", "4 September 1947"), ("died on", "11 May 2016")},
        ),
        ("Nina Falk (born October 4, 1973) is a printer from Lund.", {("was born on", "October 4, 1973")}),
        ("The Lund Observer (1855\u20131929) was a newspaper in Lund.", set()),
        ("She was the daughter of Francis Falk (1708 \u2013 1765) and Maria Falk.", set()),
    ],
)
def test_dates_in_brackets_after_a_person_are_those_of_birth_and_death(
    text: str, facts: set[tuple[str, str]]
) -> None:
    found = extract_facts([at(text, title="Nina Falk")])
    assert {(f.relation, f.object) for f in found if f.rule == "lifespan"} == facts


def test_a_title_that_the_parser_takes_apart_stays_whole() -> None:
    found = said(at("Until Tomorrow is a film directed by Nina Falk.", title="Until Tomorrow (film)"))
    assert {subject for subject, *_ in found} == {"Until Tomorrow"}


def test_a_per_cent_sign_stays_with_its_number() -> None:
    assert any(
        object_.endswith("6.1%") for *_, object_ in said(at("Growth in Lund reached a level of 6.1%."))
    )


@pytest.mark.parametrize(
    "text",
    [
        "Create a new database file from scratch.",  # a step, without what it is for
        "The toolkit is a client for the Python language, which provides sockets.",  # which of the two?
        "This is an attack the old server is immune against.",
    ],
)
def test_what_is_no_statement_or_may_be_read_in_two_ways_is_left_out(text: str) -> None:
    found = said(at(text))
    assert not any("scratch" in o or r == "provides" or o.endswith("against") for _, r, o in found)


@pytest.mark.parametrize(
    ("text", "facts"),
    [
        ("Anna Hahn is his wife and his son Bernd Hahn is also a miller.", []),
        ("Lund made his first trip not in the ferry, but in a canoe.", []),
        ("Loss of the lamp results in the absence of a regular sleep\u2013wake rhythm.", []),
        (
            "The ferry was bought in 1931 and announced as the flagship on 4 May 1932 by Oskar Hahn.",
            [
                ("the ferry", "was bought in", "1931"),
                ("the ferry", "was announced as", "the flagship"),
            ],
        ),
        (
            'Alternations can be used as an "or" operator in rules.',
            [("alternations", "can be used as", 'an "or" operator in rules')],
        ),
        (
            "The image is in line with the 'harbour way'.",
            [("the image", "is in", "line with the harbour way")],
        ),
        (
            "Hahn is managed by London- based agent Nina Falk.",
            [("Hahn", "is managed by", "London- based agent Nina Falk")],
        ),
    ],
)
def test_what_the_parser_takes_apart_is_put_together_or_left_out(
    text: str, facts: list[tuple[str, str, str]]
) -> None:
    assert said(at(text)) == facts


def test_a_purpose_with_a_subject_of_its_own_is_no_purpose_of_the_verb() -> None:
    (fact,) = extract_facts([at("Hahn paid 40 crowns for Falk to print an atlas in 1920.")])
    assert (fact.subject, fact.relation, fact.object) == ("Hahn", "paid", "40 crowns")
    assert not fact.condition.startswith("to ")


def test_names_keep_their_capital_at_the_start_of_a_sentence() -> None:
    names = {"Roxy is a ferry.": "Roxy", "Pumps are heavy.": "pumps", "Quorbin filters the water.": "Quorbin"}
    for text, name in names.items():
        assert [subject for subject, _, _ in said(at(text))] == [name]


def test_a_title_that_says_its_kind_in_brackets_is_named_without_it() -> None:
    found = said(at("The film stars Nina Falk.", title="The Pump (film)", section="Plot"))
    assert found == [("The Pump", "stars", "Nina Falk")]


def test_one_of_a_list_of_people_is_not_another() -> None:
    found = said(at("Dawn is a series starring Jin Goo, Kim Sung-kyun, Go Joon-hee and Jung Eun-ji."))
    assert {subject for subject, _, _ in found} == {"Dawn"}


@pytest.mark.parametrize("title", ["Pump (_)", "Pump (\u0660)", "Pump (__x__)", "(film)", "Pump ()"])
def test_a_title_with_odd_brackets_does_no_harm(title: str) -> None:
    said(at("The film stars Nina Falk.", title=title, section="Plot"))
