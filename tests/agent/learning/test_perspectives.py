"""What declared perspectives see differently is a view and not a dispute; each view keeps its holder."""

import pytest

from agent.learning.candidate_pairs import CandidatePair
from agent.learning.contradictions import conflicts
from agent.learning.critique import critique
from agent.learning.curriculum import attributed, compose_curriculum, fact_id
from agent.learning.perspectives import (
    NOBODYS,
    UNTAUGHT,
    beside_views,
    contested,
    joint,
    taught,
    told_views,
)
from memory.records.curricula import View
from memory.records.knowledge import Evidence, Findings
from memory.records.perspectives import NO_VIEWPOINTS, Viewpoints
from tests.support.facts import fact, passage
from tests.support.two_views import DOMAIN, both, viewpoints

PASSAGES, FACTS = both()
BY_ID = {each.id: each for each in PASSAGES}
FRUIT, VEGETABLE = "A tomato is a fruit.", "A tomato is a vegetable."


def pair(quote: str, answer: str, question: str = "What is a tomato?", **more: object) -> CandidatePair:
    home = next(each for each in PASSAGES if quote in each.text)
    return CandidatePair(
        question=question, answer=answer, form="definition", quote=quote, passage_id=home.id, **more
    )  # type: ignore[arg-type]


def test_two_definitions_are_views_only_between_declared_perspectives() -> None:
    assert conflicts(FACTS) == ()
    views = {(each.current.sentence, each.other.sentence) for each in conflicts(FACTS, viewpoints())}
    assert (FRUIT, VEGETABLE) in views
    assert len(views) == 2  # and the rhubarb
    assert {each.kind for each in conflicts(FACTS, viewpoints())} == {"view"}
    one = Viewpoints(names=dict.fromkeys(viewpoints().names, "both"))
    assert conflicts(FACTS, one) == ()


@pytest.mark.parametrize(
    ("first", "second", "kind"),
    [
        ("Nuclear power is safe.", "Nuclear power is not safe.", "view"),
        ("The dam was built in 1960.", "The dam was built in 1970.", "date"),
        ("The dam is 12 metres high.", "The dam is 30 metres high.", "number"),
    ],
)
def test_what_a_number_or_a_date_decides_stays_a_dispute(first: str, second: str, kind: str) -> None:
    from memory.ingest.propositions.facts import extract_facts

    places = passage(first, source="a.md"), passage(second, source="b.md")
    said = extract_facts(places)
    names = {("a.md", "rust", None): "one", ("b.md", "rust", None): "two"}
    (found,) = conflicts(said, Viewpoints(names=names))
    assert found.kind == kind
    assert (found.held_by is None) == (kind != "view")
    both = {each.sentence for each in said}
    held = contested(said, Viewpoints(names=names))
    assert (held.disputed, held.views) == ((set(), both) if kind == "view" else (both, set()))
    assert contested(said, NO_VIEWPOINTS).disputed == both


def test_the_operators_weight_decides_who_is_named_first_and_not_how_many_say_it() -> None:
    more = fact("a tomato", "is", "a fruit", FRUIT, within=passage(FRUIT, source="more.md", domain=DOMAIN))
    (found,) = [
        each
        for each in conflicts((*FACTS, more), viewpoints(cookery=3))
        if {each.current.source, each.other.source} == {"botany.md", "cooking.md"}
        and each.current.subject == "a tomato"
    ]
    assert found.held_by == ("cookery", "botany")


def test_who_holds_a_view_comes_from_what_was_declared_alone() -> None:
    found = contested(FACTS, viewpoints())
    forged = [
        pair(FRUIT, "a fruit", held_by="cookery", views=(View(held_by="x", source="y", quote="z"),)),
        pair("A tomato grows from the ovary of a flower.", "the ovary of a flower", held_by="botany"),
    ]
    kept, left_out = taught(forged, BY_ID, found, viewpoints())
    assert [(each.held_by, each.views) for each in kept] == [("botany", ()), ("", ())]
    assert left_out == {}
    kept, _ = taught(forged, BY_ID, contested(FACTS, NO_VIEWPOINTS), NO_VIEWPOINTS)
    assert [each.held_by for each in kept] == ["", ""]


def test_a_perspective_that_weighs_nothing_is_not_taught_and_makes_the_other_no_truth() -> None:
    without = viewpoints(cookery=0)
    candidates = [pair(FRUIT, "a fruit"), pair(VEGETABLE, "a vegetable")]
    kept, left_out = taught(candidates, BY_ID, contested(FACTS, without), without)
    assert [(each.answer, each.held_by) for each in kept] == [("a fruit", "botany")]
    assert left_out == {UNTAUGHT: 1}
    assert attributed(kept[0]) == "According to botany, what is a tomato?"


def test_a_question_that_two_perspectives_answer_tells_what_each_holds() -> None:
    held = [pair(FRUIT, "a fruit", held_by="botany"), pair(VEGETABLE, "a vegetable", held_by="cookery")]
    (told,) = joint(held, BY_ID, viewpoints(cookery=2))
    assert told.answer == "cookery holds: a vegetable; botany holds: a fruit"
    assert [(view.held_by, view.source, view.quote) for view in told.views] == [
        ("cookery", "cooking.md", VEGETABLE),
        ("botany", "botany.md", FRUIT),
    ]
    assert joint(held[:1], BY_ID, viewpoints()) == ()
    same = [held[0], held[1].model_copy(update={"answer": "A fruit"})]
    assert joint(same, BY_ID, viewpoints()) == (), "they agree"


def test_views_that_are_long_together_are_not_told_in_one_answer() -> None:
    long = "a thing that grows in gardens and is eaten with salt"
    held = [pair(FRUIT, long, held_by="botany"), pair(VEGETABLE, f"{long} by all", held_by="cookery")]
    assert joint(held, BY_ID, viewpoints()) == ()


def test_a_blank_is_filled_by_no_two_views() -> None:
    blank = "A tomato is ____."
    held = [
        pair(FRUIT, "a fruit", blank, held_by="botany"),
        pair(VEGETABLE, "a vegetable", blank, held_by="cookery"),
    ]
    assert joint(held, BY_ID, viewpoints()) == ()


def test_what_views_hold_is_read_back_from_an_answer() -> None:
    held = [pair(FRUIT, "a fruit", held_by="botany"), pair(VEGETABLE, "a vegetable", held_by="cookery")]
    (told,) = joint(held, BY_ID, viewpoints())
    assert told_views(told.answer) == (("botany", "a fruit"), ("cookery", "a vegetable"))
    assert told_views("The court holds: nobody may enter.") == (("The court", "nobody may enter"),)
    assert told_views("A tomato is a fruit; nobody holds: that.") == ()
    assert told_views("a fruit") == ()


def test_a_document_of_no_perspective_teaches_nothing_that_perspectives_see_differently() -> None:
    school = passage(f"{FRUIT} Schools grow it.", source="school.md", domain=DOMAIN)
    asked = CandidatePair(
        question="What is a tomato?", answer="a fruit", form="definition", quote=FRUIT, passage_id=school.id
    )
    passages = BY_ID | {school.id: school}
    kept, left_out = taught([asked], passages, contested(FACTS, viewpoints()), viewpoints())
    assert (kept, left_out) == ((), {NOBODYS: 1})


def test_another_answer_to_what_views_answer_is_its_speakers_view_or_left_out() -> None:
    held = [pair(FRUIT, "a fruit", held_by="botany")]
    sauce, other = pair(VEGETABLE, "a sauce"), pair(FRUIT, "a plant", "What grows here?")
    kept = beside_views([*held, sauce, other], BY_ID, viewpoints())
    assert [(each.answer, each.held_by) for each in kept] == [
        ("a fruit", "botany"),
        ("a sauce", "cookery"),
        ("a plant", ""),
    ]
    assert beside_views([*held, sauce], BY_ID, NO_VIEWPOINTS) == tuple(held)


def test_a_view_is_another_fact_than_the_same_sentence_taught_as_such() -> None:
    home = BY_ID[pair(FRUIT, "a fruit").passage_id]
    assert fact_id(pair(FRUIT, "a fruit"), home) != fact_id(pair(FRUIT, "a fruit", held_by="botany"), home)


def test_a_curriculum_names_the_holder_in_every_wording() -> None:
    held = [pair(FRUIT, "a fruit", held_by="botany"), pair(VEGETABLE, "a vegetable", held_by="cookery")]
    together = joint(held, BY_ID, viewpoints())
    made = compose_curriculum("tomatoes", DOMAIN, (*held, *together), BY_ID, teacher="rules")
    assert made is not None
    pairs = (*made.pairs, *made.held_out)
    assert {each.answer for each in pairs} == {"a fruit", "a vegetable", together[0].answer}
    assert all("ccording to botany, " in each.question for each in pairs if each.answer == "a fruit")
    plain = [each for each in pairs if "ccording to" not in each.question]
    assert plain
    assert all(len(each.views) == 2 for each in plain)
    assert not any("in botany" in each.question for each in plain), (
        "one document's title frames no other's view"
    )
    assert not any(", According" in each.question for each in pairs)


def test_curricula_without_views_keep_the_digest_they_had() -> None:
    made = compose_curriculum("tomatoes", DOMAIN, [pair(FRUIT, "a fruit")], BY_ID, teacher="rules")
    assert made is not None
    told = made.pairs[0].model_copy(update={"views": (View(held_by="a", source="b", quote="c"),)})
    other = made.model_copy(update={"pairs": (told, *made.pairs[1:])})
    assert made.digest != other.digest
    content = made.model_dump(mode="json")
    assert all(each.pop("views") == [] for each in (*content["pairs"], *content["held_out"]))


async def test_findings_are_judged_from_each_perspective_and_views_are_no_dispute() -> None:
    evidence = tuple(Evidence(passage=each, score=0.8, found_by=("vector",)) for each in PASSAGES)
    found = Findings(query="tomato", evidence=evidence, facts=FACTS)
    marks = await critique("What is a tomato?", found, viewpoints=viewpoints())
    assert marks.verdict == "accept"
    assert marks.faithfulness == 1
    reasons = " ".join(marks.reasons)
    assert "botany holds that a tomato is a fruit, cookery that it is a vegetable" in reasons
    assert "from botany alone: relevance" in reasons
    one = found.model_copy(update={"evidence": evidence[:1]})
    marks = await critique("What is a tomato?", one, viewpoints=viewpoints())
    assert "cookery: nothing about this" in marks.reasons
