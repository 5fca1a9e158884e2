"""A learn run over two perspectives teaches what each holds, with both sources, and neither as the truth."""

from collections.abc import Mapping

import pytest

from agent.chat.routing import DEFAULT_DOMAIN
from graphs.state import Runtime
from memory.embedding.embedder import HashingEmbedder
from memory.episodic.volatile import VolatileEpisodicMemory
from memory.ingest.writer import Place
from memory.records.access import EVERYTHING
from memory.semantic.volatile import VolatileSemanticMemory
from memory.server.perspectives import Perspectives
from tests.support.learn_graph import Changed, run
from tests.support.two_views import DOMAIN, PLACES, both


async def library(changed: Changed, declared: Mapping[str, str] = PLACES) -> Runtime:
    """A runtime with both documents, which speak from these perspectives."""
    passages, facts = both()
    episodic, semantic = VolatileEpisodicMemory(HashingEmbedder()), VolatileSemanticMemory()
    await episodic.add(passages)
    await semantic.add(facts)
    runtime = changed(episodic=episodic, semantic=semantic)
    for source, name in declared.items():
        await Perspectives(runtime.database).declare([Place(source, DOMAIN, None)], name, access=EVERYTHING)
    return runtime


async def test_a_topic_is_taught_as_what_each_perspective_holds(changed: Changed) -> None:
    runtime = await library(changed)
    state = await run(runtime, "the tomato", domain=DOMAIN)
    made = state["curriculum"]
    pairs = (*made.pairs, *made.held_out)
    held = [pair for pair in pairs if pair.quote in {"A tomato is a fruit.", "A tomato is a vegetable."}]
    assert held
    for pair in held:
        named = "ccording to botany" in pair.question or "ccording to cookery" in pair.question
        assert named or len(pair.views) == 2, pair
    told = next(pair for pair in pairs if pair.views)
    assert told.answer == "botany holds: a fruit; cookery holds: a vegetable"
    assert {view.source for view in told.views} == {"botany.md", "cooking.md"}
    plain = [pair for pair in pairs if "ovary" in pair.quote]
    assert plain
    assert not any("ccording to" in pair.question for pair in plain)


async def test_the_weight_decides_who_comes_first(changed: Changed) -> None:
    runtime = await library(changed)
    await Perspectives(runtime.database).weigh(DOMAIN, "cookery", 3.0, by="operator")
    state = await run(runtime, "the tomato", domain=DOMAIN)
    told = next(pair for pair in state["curriculum"].pairs if pair.views)
    assert told.answer == "cookery holds: a vegetable; botany holds: a fruit"


async def test_a_perspective_that_weighs_nothing_is_left_out_and_makes_the_other_no_truth(
    changed: Changed,
) -> None:
    runtime = await library(changed)
    await Perspectives(runtime.database).weigh(DOMAIN, "cookery", 0.0, by="operator")
    state = await run(runtime, "the tomato", domain=DOMAIN)
    pairs = (*state["curriculum"].pairs, *state["curriculum"].held_out)
    assert {pair.source for pair in pairs} == {"botany.md"}
    assert state["left_out"]["of a perspective that weighs nothing"] > 0
    held = [pair for pair in pairs if pair.quote == "A tomato is a fruit."]
    assert held
    assert all("ccording to botany" in pair.question for pair in held)


async def test_a_question_that_is_seen_differently_is_answered_with_both_views(changed: Changed) -> None:
    state = await run(await library(changed), "What is a tomato?", whole=False, domain=DOMAIN)
    answers = {pair.answer for pair in state["curriculum"].pairs if pair.question == "What is a tomato?"}
    assert answers == {"botany holds: a fruit; cookery holds: a vegetable"}


@pytest.mark.parametrize("declared", [{}, {"botany.md": "botany"}])
async def test_without_two_perspectives_nothing_is_attributed(
    changed: Changed, declared: Mapping[str, str]
) -> None:
    state = await run(await library(changed, declared), "the tomato", domain=DOMAIN)
    assert not any("ccording to" in pair.question or pair.views for pair in state["curriculum"].pairs)


async def test_a_topic_that_gets_a_domain_of_its_own_is_taught_as_views_too(changed: Changed) -> None:
    """Documents in the default domain, as the guide ingests them."""
    passages, facts = both()
    general = {"domain": DEFAULT_DOMAIN}
    episodic, semantic = VolatileEpisodicMemory(HashingEmbedder()), VolatileSemanticMemory()
    await episodic.add([each.model_copy(update=general) for each in passages])
    await semantic.add([each.model_copy(update=general) for each in facts])
    runtime = changed(episodic=episodic, semantic=semantic)
    for source, name in PLACES.items():
        place = Place(source, DEFAULT_DOMAIN, None)
        await Perspectives(runtime.database).declare([place], name, access=EVERYTHING)
    state = await run(runtime, "the tomato")
    assert state["curriculum"].domain != DEFAULT_DOMAIN
    plain = [pair for pair in state["curriculum"].pairs if "ccording to" not in pair.question]
    held = [pair for pair in plain if pair.quote in {"A tomato is a fruit.", "A tomato is a vegetable."}]
    assert held
    assert all(pair.views for pair in held)


async def test_a_question_that_only_one_perspective_may_teach_is_taught_as_its_view(changed: Changed) -> None:
    runtime = await library(changed)
    await Perspectives(runtime.database).weigh(DOMAIN, "cookery", 0.0, by="operator")
    state = await run(runtime, "What is a tomato?", whole=False, domain=DOMAIN)
    told = [each.message for each in state["events"] if "is taught as" in each.message]
    assert told == ["'According to botany, what is a tomato?' is taught as 'a fruit'"]
