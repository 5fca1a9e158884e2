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
