"""The annotation queue gives each judgement to one annotator, hides gold items, and keeps decisions."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest

from memory.database.database import Database, open_database
from memory.errors import AnnotationItemTaken, UnknownAnnotationItem
from memory.feedback.annotations import (
    LEASE,
    Annotations,
    AnnotationTask,
    AnnotatorProgress,
    BatchProgress,
    ItemDiffers,
)
from memory.feedback.interactions import InteractionLog
from memory.records.access import EVERYTHING, Access
from memory.records.feedback import AnnotationItem, Choice, Judgement
from memory.records.interactions import LoggedMessage
from tests.support.databases import database_url, empty_runs, home, postgresql, template
from tests.support.interactions import interaction

__all__ = ["database_url", "empty_runs", "home", "postgresql", "template"]

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LATER = NOW + LEASE + timedelta(seconds=1)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    opened = await open_database(database_url, clock=lambda: NOW)
    yield opened
    await opened.aclose()


@pytest.fixture
def annotations(database: Database) -> Annotations:
    return Annotations(database)


def item(
    id: str, *, annotators: int = 1, gold: Choice | None = None, priority: float = 0.0, batch: str = "monday"
) -> AnnotationItem:
    return AnnotationItem(
        id=id,
        batch=batch,
        interaction_id=f"interaction of {id}",
        domain="rust",
        messages=(LoggedMessage(role="user", content=f"What is {id}?"),),
        a="a thing",
        b="another thing",
        a_source="served",
        b_source="sampled",
        annotators=annotators,
        gold=gold,
        priority=priority,
        created_at=NOW,
    )


def judgement(item_id: str, annotator: str = "ada", choice: Choice = "a", **fields: object) -> Judgement:
    values = {"item_id": item_id, "annotator": annotator, "choice": choice, "created_at": NOW}
    return Judgement.model_validate(values | fields)


async def test_retention_deletes_the_items_that_quote_a_turn(
    annotations: Annotations, database: Database
) -> None:
    log = InteractionLog(database)
    await log.save(interaction("interaction of old"))
    await log.save(interaction("interaction of new", minutes=60))
    await annotations.add([item("old"), item("new")], [judgement("old"), judgement("new")])
    await log.delete_before(NOW + timedelta(minutes=30))
    assert [each.id for each in await annotations.list()] == ["new"]
    assert [each.item_id for each in await annotations.judgements()] == ["new"]


async def test_the_item_of_highest_priority_comes_first(annotations: Annotations) -> None:
    assert await annotations.add([item("low"), item("high", priority=5), item("middle", priority=2)]) == 3
    order = []
    while (task := await annotations.next("ada", NOW, access=EVERYTHING)) is not None:
        order.append(task.item_id)
        await annotations.judge(judgement(task.item_id))
    assert order == ["high", "middle", "low"]


async def test_adding_again_changes_nothing_and_other_texts_under_the_same_id_are_refused_whole(
    annotations: Annotations,
) -> None:
    await annotations.add([item("one")])
    assert await annotations.add([item("one"), item("two")]) == 1
    with pytest.raises(ItemDiffers) as refused:
        await annotations.add([item("three"), item("one").model_copy(update={"a": "something else"})])
    assert refused.value.item_id == "one"
    assert [each.id for each in await annotations.list()] == ["two", "one"]


async def test_an_annotator_keeps_its_item_until_it_judges_releases_or_the_lease_expires(
    annotations: Annotations,
) -> None:
    await annotations.add([item("one"), item("two")])
    first, again = (
        await annotations.next("ada", NOW, access=EVERYTHING),
        await annotations.next("ada", NOW, access=EVERYTHING),
    )
    assert first is not None
    assert first == again
    assert first.expires_at == NOW + timedelta(minutes=15)
    other = await annotations.next("bob", NOW, access=EVERYTHING)
    assert other is not None
    assert other.item_id != first.item_id
    assert await annotations.next("cyd", NOW, access=EVERYTHING) is None
    await annotations.release(first.item_id, "ada")
    taken = await annotations.next("cyd", NOW, access=EVERYTHING)
    assert taken is not None
    assert taken.item_id == first.item_id
    expired = await annotations.next("dan", LATER, access=EVERYTHING)
    assert expired is not None
    with pytest.raises(UnknownAnnotationItem):
        await annotations.release("nothing", "ada")


async def test_an_item_wants_as_many_judgements_as_it_says_and_each_by_another_annotator(
    annotations: Annotations,
) -> None:
    await annotations.add([item("one", annotators=2)])
    for annotator in ("ada", "bob"):
        assert await annotations.next(annotator, NOW, access=EVERYTHING) is not None
    assert await annotations.next("cyd", NOW, access=EVERYTHING) is None
    await annotations.judge(judgement("one", "ada"))
    assert await annotations.next("ada", NOW, access=EVERYTHING) is None, "it has judged the item"
    assert (await annotations.get("one")).status == "open"
    await annotations.judge(judgement("one", "bob", "b"))
    assert (await annotations.get("one")).status == "done"
    assert [each.annotator for each in await annotations.judgements()] == ["ada", "bob"]


async def test_a_skip_leaves_the_item_to_others_and_does_not_come_back(annotations: Annotations) -> None:
    await annotations.add([item("one")])
    await annotations.next("ada", NOW, access=EVERYTHING)
    await annotations.judge(judgement("one", "ada", "skip"))
    assert await annotations.next("ada", NOW, access=EVERYTHING) is None
    assert (await annotations.next("bob", NOW, access=EVERYTHING)) is not None
    with pytest.raises(AnnotationItemTaken):
        await annotations.judge(judgement("one", "ada", "a"))
    await annotations.judge(judgement("one", "bob", "b"))
    assert (await annotations.get("one")).status == "done"


async def test_the_same_judgement_again_changes_nothing(annotations: Annotations) -> None:
    await annotations.add([item("one")])
    first = await annotations.judge(judgement("one", comment="short", seconds=4))
    again = judgement("one", comment="short", seconds=9, created_at=LATER)
    assert await annotations.judge(again) == first
    assert await annotations.judgements() == (first,)


async def test_a_contradiction_replaces_the_judgement_while_the_item_is_open_and_is_refused_afterwards(
    annotations: Annotations,
) -> None:
    await annotations.add([item("one", annotators=2)])
    await annotations.judge(judgement("one", "ada", "a"))
    await annotations.judge(judgement("one", "ada", "b", rewrite="better than both"))
    (saved,) = await annotations.judgements()
    assert (saved.choice, saved.rewrite) == ("b", "better than both")
    await annotations.judge(judgement("one", "bob", "b"))
    with pytest.raises(AnnotationItemTaken, match="closed"):
        await annotations.judge(judgement("one", "ada", "both_bad"))
    assert {each.choice for each in await annotations.judgements()} == {"b"}


async def test_who_has_lost_the_lease_to_another_cannot_judge(annotations: Annotations) -> None:
    await annotations.add([item("one")])
    await annotations.next("ada", NOW, access=EVERYTHING)
    assert await annotations.next("bob", LATER, access=EVERYTHING) is not None
    with pytest.raises(AnnotationItemTaken):
        await annotations.judge(judgement("one", "ada", created_at=LATER))
    await annotations.judge(judgement("one", "bob", created_at=LATER))
    with pytest.raises(UnknownAnnotationItem):
        await annotations.judge(judgement("nothing"))


async def test_a_lease_that_expired_unclaimed_costs_no_judgement(annotations: Annotations) -> None:
    await annotations.add([item("one")])
    await annotations.next("ada", NOW, access=EVERYTHING)
    await annotations.judge(judgement("one", created_at=LATER))
    assert (await annotations.get("one")).status == "done"


@pytest.mark.parametrize("annotators", [1, 3])
async def test_twenty_annotators_at_once_never_hold_or_judge_more_than_is_wanted(
    annotations: Annotations, annotators: int
) -> None:
    items = [item(f"item{number}", annotators=annotators) for number in range(10)]
    await annotations.add(items)
    names = [f"annotator{number:02}" for number in range(20)]

    async def work(name: str) -> list[str]:
        seen: list[str] = []
        while (task := await annotations.next(name, NOW, access=EVERYTHING)) is not None:
            seen.append(task.item_id)
            await asyncio.sleep(0)
            await annotations.judge(judgement(task.item_id, name))
        return seen

    tasks = await asyncio.gather(*(annotations.next(name, NOW, access=EVERYTHING) for name in names))
    held = Counter(task.item_id for task in tasks if task is not None)
    assert max(held.values()) <= annotators
    assert held.total() == min(len(names), 10 * annotators), "no slot stays free while somebody waits"
    worked = await asyncio.gather(*(work(name) for name in names))
    assert all(len(set(seen)) == len(seen) for seen in worked)
    judged = Counter(each.item_id for each in await annotations.judgements())
    assert judged == {each.id: annotators for each in items}
    assert {each.status for each in await annotations.list()} == {"done"}


async def test_annotators_work_while_items_are_added_released_and_withdrawn(annotations: Annotations) -> None:
    """On PostgreSQL, a deadlock ends one of them with StoreUnavailable."""
    ids = [f"i{n}" for n in range(6)]

    async def annotate(name: str) -> None:
        for round in range(9):
            now = NOW + round * (LEASE + timedelta(seconds=1)) if round % 3 == 0 else NOW
            task = await annotations.next(name, now, access=EVERYTHING)
            if task is None:
                continue
            with suppress(UnknownAnnotationItem, AnnotationItemTaken):
                if round % 2:
                    await annotations.release(task.item_id, name)
                else:
                    await annotations.judge(judgement(task.item_id, name, created_at=now))

    async def withdraw(round: int) -> None:
        await annotations.add([item(id, annotators=8) for id in (ids if round % 2 else reversed(ids))])
        for id in ids if round % 2 else reversed(ids):
            await annotations.withdraw(f"interaction of {id}")

    await annotations.add([item(id, annotators=8) for id in ids])
    await asyncio.gather(*(annotate(f"annotator {n}") for n in range(6)), *(withdraw(n) for n in range(5)))


async def test_gold_items_are_mixed_in_for_every_annotator_and_look_like_the_others(
    annotations: Annotations,
) -> None:
    await annotations.add([item(f"item{n:02}", annotators=9) for n in range(30)])
    await annotations.add([item(f"gold{n}", gold="a") for n in range(6)])

    async def seen(name: str) -> list[AnnotationTask]:
        tasks: list[AnnotationTask] = []
        while (task := await annotations.next(name, NOW, access=EVERYTHING)) is not None:
            tasks.append(task)
            await annotations.judge(judgement(task.item_id, name))
        return tasks

    for name in ("ada", "bob"):
        ids = [task.item_id for task in await seen(name)]
        gold = [place for place, item_id in enumerate(ids) if item_id.startswith("gold")]
        assert len(ids) == 36
        assert len(gold) == 6, "they do not run out, whoever has judged them"
        assert gold[0] < 30, "they are not all at the end"
        assert gold != list(range(6)), "nor at the beginning"
    assert set(AnnotationTask.model_fields) == {"item_id", "domain", "messages", "a", "b", "expires_at"}


async def test_a_judged_gold_item_refuses_what_a_judged_ordinary_item_refuses(
    annotations: Annotations,
) -> None:
    await annotations.add([item("plain"), item("gold", gold="a")])
    errors = []
    for item_id in ("plain", "gold"):
        await annotations.judge(judgement(item_id, "ada", "b"))
        for annotator in ("ada", "bob"):
            with pytest.raises(AnnotationItemTaken) as refused:
                await annotations.judge(judgement(item_id, annotator, "a"))
            errors.append(str(refused.value).replace(item_id, "it"))
    assert errors[:2] == errors[2:]


async def test_an_item_becomes_gold_and_ordinary_again(annotations: Annotations) -> None:
    await annotations.add([item("one")])
    assert (await annotations.set_gold("one", "both_bad")).gold == "both_bad"
    assert (await annotations.get("one")).gold == "both_bad"
    assert await annotations.progress() == (BatchProgress(batch="monday", gold=1),)
    assert (await annotations.set_gold("one", None)).gold is None
    with pytest.raises(ValueError, match="gold"):
        await annotations.set_gold("one", "skip")
    with pytest.raises(UnknownAnnotationItem):
        await annotations.set_gold("nothing", "a")


async def test_items_are_listed_by_filters_and_pages_and_counted_by_batch(annotations: Annotations) -> None:
    await annotations.add([item(f"m{n}") for n in range(3)])
    await annotations.add([item("t0", batch="tuesday")], [judgement("t0")])
    assert [each.id for each in await annotations.list(batch="monday", limit=2)] == ["m2", "m1"]
    assert [each.id for each in await annotations.list(batch="monday", after="m1")] == ["m0"]
    assert [each.id for each in await annotations.list(status="done")] == ["t0"]
    assert await annotations.list(domain="bread") == ()
    assert await annotations.progress() == (
        BatchProgress(batch="monday", open=3),
        BatchProgress(batch="tuesday", done=1, judgements=1),
    )
    assert await annotations.judgements(batch="monday") == ()
    assert await annotations.judgements(since=NOW, until=LATER) == (judgement("t0"),)
    assert await annotations.judgements(since=LATER) == ()
    assert await annotations.interaction_ids() == {f"interaction of {id}" for id in ("m0", "m1", "m2", "t0")}


async def test_what_is_left_for_an_annotator_counts_gold_items_and_no_closed_domain(
    annotations: Annotations,
) -> None:
    await annotations.add([item("one"), item("two"), item("three", annotators=2), item("sure", gold="a")])

    async def progress(name: str, access: Access = EVERYTHING) -> AnnotatorProgress:
        return await annotations.progress_of(name, NOW, access=access)

    assert await progress("ada") == AnnotatorProgress(judged=0, skipped=0, left=4)
    await annotations.judge(judgement("one"))
    await annotations.judge(judgement("three"))
    await annotations.judge(judgement("two", choice="skip"))
    await annotations.judge(judgement("sure"))
    assert await progress("ada") == AnnotatorProgress(judged=3, skipped=1, left=0)
    assert await progress("bob") == AnnotatorProgress(judged=0, skipped=0, left=3)
    while (task := await annotations.next("bob", NOW, access=EVERYTHING)) is not None:
        await annotations.judge(judgement(task.item_id, "bob"))
    assert (await progress("bob")).left == 0
    hidden = Access(owner="cleo", closed=frozenset({"rust"}))
    assert (await progress("cleo")).left == 1, "the gold item"
    assert (await progress("cleo", hidden)).left == 0


async def test_judgements_of_items_that_are_not_added_with_them_are_refused(annotations: Annotations) -> None:
    with pytest.raises(ValueError, match="two"):
        await annotations.add([item("one")], [judgement("two")])
    assert await annotations.list() == ()
