"""Skew is read from the live adapter's lessons and the log, within what the caller may read."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from agent.skew.gather import SkewStores, gather_skew
from agent.skew.records import AspectSkew, SkewReport
from memory.adapters.volatile import VolatileAdapterRegistry
from memory.database.database import open_database
from memory.embedding.embedder import HashingEmbedder
from memory.feedback.annotations import Annotations
from memory.feedback.interactions import InteractionLog
from memory.nights.store import NightStore
from memory.outbox.volatile import VolatileOutbox
from memory.records.access import EVERYTHING, Access
from memory.records.curricula import Curriculum
from memory.records.feedback import AnnotationItem, Judgement
from memory.records.interactions import LoggedMessage
from memory.records.knowledge import Citation, Fact
from tests.support.adapters import adapter, fact, pair
from tests.support.interactions import NOON, interaction
from tests.support.nights import golden, night, revision, topic

DAY = {"since": NOON - timedelta(hours=1), "until": NOON + timedelta(days=1)}


def lesson(*facts: Fact) -> Curriculum:
    return Curriculum(
        topic="lamps",
        domain="rust",
        facts=facts,
        pairs=tuple(pair(each, f"What is a {each.subject}?") for each in facts),
        teacher="rules",
    )


def lamp(name: str, source: str = "lamps.md", **fields: Any) -> Fact:
    return fact(name).model_copy(update={"domain": "rust", "source": source, **fields})


def cited(source: str, owner: str | None = None) -> tuple[Citation, ...]:
    return (Citation(source=source, title="A", start=0, end=3, quote="abc", domain="rust", owner=owner),)


@pytest.fixture
async def stores(tmp_path: Path) -> AsyncIterator[SkewStores]:
    database = await open_database(f"sqlite:///{tmp_path / 'nightschool.db'}")
    yield SkewStores(
        VolatileAdapterRegistry(),
        VolatileOutbox({}),
        InteractionLog(database),
        NightStore(database),
        Annotations(database),
        HashingEmbedder(),
    )
    await database.aclose()


async def teach(stores: SkewStores, *facts: Fact) -> None:
    curriculum = lesson(*facts)
    await stores.outbox.publish(curriculum)
    registry = stores.registry
    assert isinstance(registry, VolatileAdapterRegistry)
    registry.register(learned := adapter("rust", digest=curriculum.digest))
    registry.promote(learned.name)


async def measured(stores: SkewStores, access: Access = EVERYTHING, owner: str | None = None) -> SkewReport:
    return await gather_skew("rust", stores, access=access, owner=owner, **DAY)


def of(report: SkewReport, aspect: str) -> AspectSkew:
    return next(each for each in report.aspects if each.aspect == aspect)


async def test_sources_are_counted_by_fact_and_by_the_answers_that_quote_them(stores: SkewStores) -> None:
    await teach(stores, lamp("a"), lamp("b"), lamp("c", "boats.md"))
    await stores.log.save(interaction("i1", citations=(*cited("lamps.md"), *cited("lamps.md"))))
    await stores.log.save(interaction("i2", citations=cited("boats.md")))
    await stores.log.save(interaction("said", intent="conversation", citations=cited("boats.md")))
    await stores.log.save(interaction("other", domain="python", citations=cited("boats.md")))
    sources = of(await measured(stores), "sources")
    assert (sources.learned, sources.asked) == (3, 2)
    shares = {each.name: (round(each.learned, 2), each.asked) for each in sources.categories}
    assert shares == {"lamps.md": (0.67, 0.5), "boats.md": (0.33, 0.5)}


async def test_only_the_period_counts_of_what_was_asked(stores: SkewStores) -> None:
    await stores.log.save(interaction("early", created_at=NOON - timedelta(days=2)))
    await stores.log.save(interaction("late", created_at=NOON + timedelta(days=2)))
    assert of(await measured(stores), "sources").asked == 0


async def test_a_caller_counts_its_own_turns_and_what_it_may_read(stores: SkewStores) -> None:
    await teach(
        stores,
        lamp("a"),
        lamp("b", "anns.md", owner="ann"),
        lamp("c", "bens.md", owner="ben"),
        lamp("d", said_by="u"),
    )
    await stores.log.save(interaction("i1", owner="ann", unit="u1", citations=cited("anns.md", "ann")))
    await stores.log.save(interaction("i2", owner="ben", unit="u2", citations=cited("bens.md", "ben")))
    report = await measured(stores, Access(owner="ann"), "ann")
    names = {each.name for each in of(report, "sources").categories}
    assert names == {"lamps.md", "anns.md"}
    assert of(report, "sources").learned == 2
    assert (of(report, "sources").asked, of(report, "users").asked) == (1, 1)
    closed = Access(owner="ann", closed=frozenset({"rust"}))
    assert (await measured(stores, closed, "ann")).aspects == ()


async def test_topics_are_those_of_nights_and_questions_in_none_are_left_out(stores: SkewStores) -> None:
    await stores.nights.begin(night())
    embedder = stores.embedder
    centres = {
        word: tuple(map(float, embedder.embed([f"What is a {word}?"])[0])) for word in ("zorble", "quix")
    }
    await stores.nights.save_topics("n1", [topic(w, label=(w,), centre=c) for w, c in centres.items()])
    await teach(stores, lamp("zorble"))
    for number, question in enumerate(
        ("What is a quix?", "What is a quix?", "Entirely unrelated words here")
    ):
        await stores.log.save(interaction(f"i{number}", question=question))
    topics = of(await measured(stores), "topics")
    assert (topics.learned, topics.asked) == (1, 2)
    assert topics.divergence == pytest.approx(1)


async def test_languages_are_those_of_the_documents_and_of_all_that_a_user_asked(stores: SkewStores) -> None:
    await teach(stores, lamp("a", sentence="The lamp of the harbour is lit by the keeper every evening."))
    asked = ("Wie hoch ist der Leuchtturm am Hafen?", "Wann wurde er gebaut und von wem?")
    for number, question in enumerate(asked):
        await stores.log.save(interaction(f"i{number}", question=question, unit="anna"))
    languages = of(await measured(stores), "languages")
    assert {(each.name, each.learned, each.asked) for each in languages.categories} == {
        ("en", 1.0, 0.0),
        ("de", 0.0, 1.0),
    }


async def test_users_are_counted_by_their_golden_pairs_and_named_by_number(stores: SkewStores) -> None:
    await stores.nights.begin(night())
    await stores.log.save(interaction("i1", unit="pseudonym-of-ann"))
    await stores.log.save(interaction("i2", unit="pseudonym-of-ben"))
    await stores.nights.save_revision(revision("r1", interaction_id="i2"))
    pairs = [
        golden("g1", source="i1"),
        golden("g2", source="r1"),
        golden("g3", source="i1", status="declined"),
    ]
    await stores.nights.save_golden([*pairs, golden("g4", source="i1")])
    users = of(await measured(stores), "users")
    assert (users.learned, users.asked) == (3, 2)
    assert [each.name for each in users.categories] == ["user 1", "user 2"]
    assert users.categories[0].learned == pytest.approx(2 / 3)


async def test_annotators_are_counted_for_admins_by_their_judgements(stores: SkewStores) -> None:
    asked = (LoggedMessage(role="user", content="What is a quix?"),)
    sides = {"a_source": "served", "b_source": "sampled", "interaction_id": None, "batch": "b"}
    item = AnnotationItem(
        id="x", domain="rust", messages=asked, a="1", b="2", annotators=3, created_at=NOON, **sides
    )
    await stores.annotations.add([item])
    for who, choice in (("ann", "a"), ("ben", "b"), ("eve", "skip")):
        judged = {"item_id": "x", "annotator": who, "choice": choice, "created_at": NOON}
        await stores.annotations.judge(Judgement.model_validate(judged))
    annotators = of(await measured(stores), "annotators")
    assert annotators.learned == 2
    assert {each.name for each in annotators.categories} == {"annotator 1", "annotator 2"}
    assert of(await measured(stores, Access(owner="ann"), "ann"), "annotators").learned == 0


async def test_a_lesson_that_cannot_be_read_is_left_out(stores: SkewStores) -> None:
    registry = stores.registry
    assert isinstance(registry, VolatileAdapterRegistry)
    registry.register(adapter("rust"))
    registry.promote(adapter("rust").name)
    assert of(await measured(stores), "sources").learned == 0
