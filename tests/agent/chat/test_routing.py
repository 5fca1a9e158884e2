"""A question goes to the domain that was taught what it names."""

import asyncio
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from agent.chat import routing
from agent.chat.routing import LiveAdapter, Route, Routes, choose_by_words, resolve_route
from memory.adapters.base import AdapterRegistry
from memory.adapters.volatile import VolatileAdapterRegistry
from memory.embedding.embedder import HashingEmbedder
from memory.errors import AdapterNotServable, UnknownAdapter, UnknownRun
from memory.language.content_words import content_words
from memory.outbox.files import read
from memory.records.access import EVERYTHING, Access
from memory.records.adapters import Adapter
from memory.records.curricula import Curriculum
from tests.support.adapters import adapter, curriculum, fact
from tests.support.cards import gate

BASE = Route(domain="general", adapter=None, gate=gate())


def taught(domain: str, *facts: tuple[str, str]) -> LiveAdapter:
    return LiveAdapter(
        route=Route(domain=domain, adapter=f"{domain}-v1-00000000", gate=gate(0.5)),
        subjects=tuple(s for s, _ in facts),
        answers=tuple(content_words(o) for _, o in facts),
    )


RUST = taught("rust", ("borrow checker", "a part of the compiler"), ("slice", "a view of a sequence"))
BREAD = taught("bread", ("sourdough starter", "a culture of wild yeast"), ("slice", "a flat piece of bread"))


@pytest.mark.parametrize(
    ("question", "domain"),
    [
        ("What is a borrow checker?", "rust"),
        ("what are Borrow Checkers", "rust"),
        ("How old is a sourdough starter?", "bread"),
        ("Which term means a culture of wild yeast?", "bread"),
        ("What is a lemur?", "general"),
        ("What is a checker?", "general"),
        ("What is a part?", "general"),
        ("", "general"),
    ],
)
def test_the_words_that_were_taught_decide(question: str, domain: str) -> None:
    assert choose_by_words(question, (RUST, BREAD), BASE).domain == domain


async def test_a_question_that_names_no_subject_goes_to_the_lesson_that_is_near_in_meaning(
    registry: AdapterRegistry, trained: Callable[..., Adapter]
) -> None:
    fog = "In fog the free minibus leaves from the Plough Inn."
    ferry = curriculum()
    ferry = ferry.model_copy(update={"facts": (ferry.facts[0].model_copy(update={"sentence": fog}),)})
    made = trained(ferry)
    registry.promote(made.name)
    others = curriculum()  # of adapters that other tests left in the registry
    routes = Routes(
        registry, lambda digest: ferry if digest == made.curriculum else others, embedder=HashingEmbedder()
    )
    await routes.refresh()

    async def to(question: str) -> str | None:
        return (
            await resolve_route(question, None, routes=routes, base=BASE, base_name="m", access=EVERYTHING)
        ).adapter

    assert await to("Where does the free minibus leave from in fog?") == made.name
    assert await to("How old is Paris?") is None
    assert await to("") is None


def test_a_common_noun_alone_is_no_sign_of_a_lesson() -> None:
    permission = fact("permission", "slow to arrive", "Permission was slow to arrive.")
    ferry = routing.live_adapter(adapter(domain="ferry"), (permission,))
    assert choose_by_words("Who gives permission to marry?", (ferry,), BASE).domain == "general"


def test_the_longer_phrase_wins_and_a_tie_goes_to_the_first() -> None:
    assert choose_by_words("Does a sourdough starter know a slice?", (RUST, BREAD), BASE).domain == "bread"
    assert choose_by_words("What is a slice?", (RUST, BREAD), BASE).domain == "rust"


def test_the_route_of_an_adapter_has_its_gate() -> None:
    made = adapter()
    found = routing.live_adapter(made, ()).route
    assert found.gate == made.gate


async def test_a_model_name_may_be_auto_the_base_a_domain_or_a_version(
    registry: AdapterRegistry, registry_home: Path, trained: Callable[..., Adapter], domain: str
) -> None:
    made = trained(curriculum())
    registry.promote(made.name)
    routes = Routes(registry, partial(read, registry_home / "outbox"))
    await routes.refresh()

    async def to(name: str | None, question: str = "What is a zorble?") -> Route:
        return await resolve_route(
            question, name, routes=routes, base=BASE, base_name="nightschool", access=EVERYTHING
        )

    assert (await to(domain)).adapter == made.name
    assert (await to(made.name)).gate == made.gate
    assert await to("nightschool") == BASE
    assert (await to("auto")).adapter in {t.route.adapter for t in routes.live.values()}
    assert await to(None, "What is a lemur?") == BASE
    with pytest.raises(UnknownAdapter, match="'gpt-9'"):
        await to("gpt-9")


@pytest.mark.parametrize("embedder", [None, HashingEmbedder()])
async def test_questions_of_a_closed_domain_go_to_the_base_model_without_a_grant(
    embedder: HashingEmbedder | None,
) -> None:
    made, lesson = adapter("rust"), curriculum()
    registry = VolatileAdapterRegistry([made])
    registry.promote(made.name)
    routes = Routes(registry, lambda digest: lesson, embedder=embedder)
    await routes.refresh()
    closed = frozenset({"rust"})
    stranger, reader = Access(owner="ben", closed=closed), Access(closed=closed, readable=closed)

    async def to(question: str, name: str | None, access: Access) -> str | None:
        route = await resolve_route(
            question, name, routes=routes, base=BASE, base_name="nightschool", access=access
        )
        return route.adapter

    questions = [lesson.facts[0].sentence, f"What is {lesson.facts[0].subject}?"]
    assert {await to(question, None, reader) for question in questions} == {made.name}
    assert {await to(question, None, stranger) for question in questions} == {None}
    for name in ("rust", made.name):
        assert await to("", name, reader) == made.name
        with pytest.raises(UnknownAdapter) as refused:
            await to("", name, stranger)
        assert str(refused.value) == f"no model {name!r}: use auto, nightschool, or an adapter's full name"


async def test_a_promotion_or_rollback_by_another_process_changes_the_routes() -> None:
    lesson = curriculum()
    one, two = adapter("rust"), adapter("rust", 2)
    registry = VolatileAdapterRegistry([one, two])
    routes = Routes(registry, dict.fromkeys((one.curriculum, two.curriculum), lesson).__getitem__)
    assert not await routes.refresh_if_changed()
    registry.promote(two.name)  # as another process would
    assert await routes.refresh_if_changed()
    assert routes.live["rust"].route.adapter == two.name
    assert not await routes.refresh_if_changed()
    registry.retire("rust")
    assert await routes.refresh_if_changed()
    assert "rust" not in routes.live


async def test_a_rejected_version_cannot_be_asked_for(
    registry: AdapterRegistry, registry_home: Path, trained: Callable[..., Adapter]
) -> None:
    made = trained(curriculum(), rejected=True)
    routes = Routes(registry, partial(read, registry_home / "outbox"))
    with pytest.raises(AdapterNotServable):
        await resolve_route(
            "x", made.name, routes=routes, base=BASE, base_name="nightschool", access=EVERYTHING
        )


async def test_an_adapter_is_found_by_what_it_rehearsed_too() -> None:
    first = curriculum()
    second = first.model_copy(update={"facts": (fact("quib", "a round red box"),)})
    made = adapter("lamps", 2, digest=second.digest).model_copy(update={"rehearsed": (first.digest,)})
    registry = VolatileAdapterRegistry([made])
    registry.promote(made.name)
    routes = Routes(registry, {first.digest: first, second.digest: second}.__getitem__)
    await routes.refresh()
    for question in ("What is a quib?", "What is a zorble?", "Which term means a small green lamp?"):
        chosen = await resolve_route(
            question, None, routes=routes, base=BASE, base_name="nightschool", access=EVERYTHING
        )
        assert chosen.adapter == made.name


async def test_a_curriculum_that_is_gone_leaves_the_others_in_effect() -> None:
    def read_or_fail(digest: str) -> Curriculum:
        if digest != known.digest:
            raise UnknownRun(f"no curriculum {digest}")
        return known

    known = curriculum()
    made = adapter("lamps", 2, digest="0" * 64).model_copy(update={"rehearsed": (known.digest,)})
    registry = VolatileAdapterRegistry([made])
    registry.promote(made.name)
    routes = Routes(registry, read_or_fail)
    await routes.refresh()
    assert routes.live["lamps"].subjects == ("zorble",)


async def test_a_refresh_that_began_before_a_promotion_does_not_bring_the_old_adapter_back() -> None:
    old, new = adapter("lamps", 1, digest="1" * 64), adapter("lamps", 2, digest="2" * 64)
    registry = VolatileAdapterRegistry([old, new])
    registry.promote(old.name)
    reading, promoted = threading.Event(), threading.Event()

    def slow(digest: str) -> Curriculum:
        """The old adapter's curriculum takes until the promotion is over, or half a second."""
        if digest == old.curriculum:
            reading.set()
            promoted.wait(0.5)
        return curriculum()

    routes = Routes(registry, slow)
    first = asyncio.create_task(routes.refresh())
    await asyncio.to_thread(reading.wait, 5)
    registry.promote(new.name)
    second = asyncio.create_task(routes.refresh())
    second.add_done_callback(lambda _: promoted.set())
    await asyncio.gather(first, second)
    assert routes.live["lamps"].route.adapter == new.name
