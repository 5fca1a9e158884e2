"""A learn run that may use the web turns to it for what the library lacks; sites have to agree."""

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from agent.chat.routing import Routes
from agent.engines.scripted import Line, ScriptedEngine
from agent.learning.web_exploration import WebExploration
from graphs.learn import NEXT, build
from graphs.state import Limits, Runtime
from memory.adapters.volatile import VolatileAdapterRegistry
from tests.graphs.conftest import BASE_LINES, SONG
from tests.support.adapters import curriculum
from tests.support.learn_graph import Changed, run
from tests.support.local_site import LocalSite, local_site
from tests.support.trainers import FakeTrainer
from tests.support.web import (
    ANSWER,
    COPY,
    HISTORY,
    INJECTION,
    ORDERS,
    QUESTION,
    TRAVEL,
    exploration,
    found,
    page,
    queries,
)

KNOWN = "What is a move?"
"""The library of these tests answers it."""
ALONE = "only one independent source"


@pytest.fixture
def site() -> Iterator[LocalSite]:
    with local_site() as opened:
        yield opened


@pytest.fixture
async def web(site: LocalSite, runtime: Runtime) -> AsyncIterator[WebExploration]:
    async with exploration(site, runtime.episodic, runtime.semantic) as opened:
        yield opened


@pytest.fixture
def trainer() -> FakeTrainer:
    return FakeTrainer(VolatileAdapterRegistry())


@pytest.fixture
def learn(changed: Changed, web: WebExploration, trainer: FakeTrainer) -> Callable[..., Any]:
    """Runs the graph for a question, with the web."""
    learned = {QUESTION: Line(text=ANSWER, entropy=0.1)}
    runtime = changed(
        web=web,
        outbox=trainer,
        registry=trainer.registry,
        routes=Routes(trainer.registry, lambda digest: curriculum()),
        engine=ScriptedEngine(BASE_LINES, adapters={"general": SONG | learned, "rust": SONG}),
    )

    async def learned_from(question: str = QUESTION, **more: Any) -> dict[str, Any]:
        return await run(runtime, question, whole=False, **({"web": "fallback"} | more))

    return learned_from


def publish(site: LocalSite, **bodies: str) -> None:
    """Puts a page on each of these sites, and lets the search find them."""
    found(site, *[site.page(f"{name}.example/x", page(body)) for name, body in bodies.items()])


def steps(state: dict[str, Any]) -> list[str]:
    return [event.step for event in state["events"]]


async def test_a_gap_is_filled_by_two_sites_that_agree(
    learn: Callable[..., Any], site: LocalSite, trainer: FakeTrainer
) -> None:
    publish(site, a=HISTORY, b=TRAVEL)
    state = await learn(domain="general")
    assert state["outcome"].status == "learned", state["outcome"].reason
    assert steps(state).count("search_web") == 1
    assert steps(state).index("critique") < steps(state).index("search_web")
    (lesson,) = trainer.lessons
    assert {pair.answer for pair in lesson.pairs if pair.question == QUESTION} == {ANSWER}
    said = " ".join(f"{pair.question} {pair.answer}" for pair in (*lesson.pairs, *lesson.held_out))
    assert "Fenwick" not in said  # one site alone names the engineer
    assert "ferry" not in said
    assert len(state["explored"].stored) == 2


@pytest.mark.parametrize(
    "bodies",
    [
        {"a": HISTORY},
        {"a": HISTORY, "b": COPY},
        {"a": HISTORY, "b": TRAVEL.replace("1874", "1901")},
        {"a": HISTORY, "b": TRAVEL + INJECTION},
    ],
    ids=["one site", "two copies", "two claims", "a page that contradicts itself"],
)
async def test_nothing_is_taught_that_two_independent_sites_do_not_say(
    learn: Callable[..., Any], site: LocalSite, trainer: FakeTrainer, bodies: dict[str, str]
) -> None:
    publish(site, **bodies)
    state = await learn(domain="general")
    assert state["outcome"].status in ("nothing_to_learn", "flagged")
    assert trainer.lessons == ()
    if len(bodies) == 1:
        assert ALONE in state["outcome"].reason


async def test_what_the_library_answers_is_not_searched(learn: Callable[..., Any], site: LocalSite) -> None:
    publish(site, a=HISTORY, b=TRAVEL)
    state = await learn(KNOWN)
    assert state["outcome"].status == "learned"
    assert site.requests == []


async def test_a_run_that_was_not_told_to_uses_no_web(learn: Callable[..., Any], site: LocalSite) -> None:
    publish(site, a=HISTORY, b=TRAVEL)
    state = await learn(domain="general", web="no")
    assert state["outcome"].status == "nothing_to_learn"
    assert site.requests == []


async def test_a_run_may_be_told_to_search_in_any_case(learn: Callable[..., Any], site: LocalSite) -> None:
    publish(site, a=HISTORY, b=TRAVEL)
    state = await learn(domain="general", web="always")
    assert steps(state).index("search_web") < steps(state).index("explore")
    assert state["outcome"].status == "learned"
    (query,) = queries(site)
    assert "Quorbin" in query


async def test_what_a_page_orders_changes_nothing_of_the_run(
    learn: Callable[..., Any], site: LocalSite, trainer: FakeTrainer
) -> None:
    publish(site, a=HISTORY, b=TRAVEL + ORDERS)
    state = await learn(domain="general", approval_policy="human")
    assert state["approval_policy"] == "human"
    assert "approval" not in state  # it waits for a person
    assert trainer.lessons == ()
    said = state["curriculum"].model_dump_json()
    assert ANSWER in said
    assert "forty-two" not in said
    assert "instructions" not in said
    assert not any(place.startswith("evil.example") for place in site.requests)


async def test_why_the_web_did_not_help_is_said(learn: Callable[..., Any], site: LocalSite) -> None:
    found(site, "http://10.0.0.1/x")
    state = await learn(domain="general")
    assert state["outcome"].status == "nothing_to_learn"
    assert "on the web: 0 of 1 pages read; " in state["outcome"].reason
    assert "not public" in state["outcome"].reason


@pytest.mark.parametrize("name", NEXT)
def test_a_web_that_is_due_leads_no_step_where_it_has_no_edge(name: str) -> None:
    (branch,) = build(Limits()).branches[name].values()
    assert branch.ends is not None
    assert branch.path.invoke({"web_due": True}) in branch.ends
