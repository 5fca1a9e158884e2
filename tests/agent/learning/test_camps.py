"""Documents that contradict each other fall into two camps, which people may name."""

from agent.learning.camps import camps
from memory.ingest.propositions.facts import extract_facts
from tests.support.facts import passage
from tests.support.two_views import DOMAIN, both

FRUIT, VEGETABLE = "A tomato is a fruit.", "A tomato is a vegetable."


def test_two_documents_that_define_the_same_differently_are_two_camps() -> None:
    (found,) = camps(both()[1])
    assert (found.first, found.second) == (("botany.md",), ("cooking.md",))
    assert found.domain == DOMAIN
    assert found.conflicts == 2
    assert found.because[0].current.subject == "a tomato"


def test_the_enemy_of_an_enemy_and_those_that_agree_are_in_one_camp() -> None:
    texts = {
        "a.md": f"{FRUIT} Nuclear power is safe.",
        "b.md": VEGETABLE,
        "c.md": FRUIT,
        "d.md": "Nuclear power is not safe.",
        "e.md": "The ferry is a ship.",
    }
    (found,) = camps(extract_facts([passage(text, source=source) for source, text in texts.items()]))
    assert (found.first, found.second) == (("a.md", "c.md"), ("b.md", "d.md"))


def test_documents_that_agree_are_no_camps() -> None:
    assert camps(extract_facts([passage(FRUIT, source="a.md"), passage(FRUIT, source="b.md")])) == ()
    assert camps(()) == ()


def test_what_two_documents_share_does_not_hide_that_they_contradict_each_other() -> None:
    water = "A tomato contains water."
    texts = {"a.md": f"{FRUIT} {water}", "b.md": f"{VEGETABLE} {water}"}
    (found,) = camps(extract_facts([passage(text, source=source) for source, text in texts.items()]))
    assert (found.first, found.second) == (("a.md",), ("b.md",))


def test_a_large_library_is_divided_where_it_disagrees_alone() -> None:
    fact = extract_facts([passage("The ferry is a ship.", source="x.md")])[0]
    many = [fact.model_copy(update={"id": f"f{n}", "source": f"{n}.md"}) for n in range(20_000)]
    disagreeing = extract_facts([passage(FRUIT, source="a.md"), passage(VEGETABLE, source="b.md")])
    (found,) = camps((*many, *disagreeing))
    assert (found.first, found.second) == (("a.md",), ("b.md",))
