"""Nights are kept with what they made; one runs at a time, and what people decided stays."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from memory.database.database import Database, open_database
from memory.errors import AlreadyExists, UnknownGolden, UnknownNight, UnknownRevision
from memory.feedback.interactions import InteractionLog
from memory.nights.store import NightStore
from memory.records.nights import StepReport
from tests.support.databases import database_url, empty_runs, home, postgresql, template
from tests.support.interactions import interaction
from tests.support.nights import LATER, WHEN, golden, night, revision, score, statement, surprise, topic

__all__ = ["database_url", "empty_runs", "home", "postgresql", "template"]


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    opened = await open_database(database_url, clock=lambda: LATER)
    yield opened
    await opened.aclose()


@pytest.fixture
def store(database: Database) -> NightStore:
    return NightStore(database)


@pytest.fixture
async def log(database: Database) -> InteractionLog:
    log = InteractionLog(database)
    for id in ("i1", "i2"):
        await log.save(interaction(id))
    return log


async def end(store: NightStore, id: str, status: str = "done") -> None:
    stored = await store.night(id)
    await store.update(stored.model_copy(update={"status": status, "ended_at": LATER}))


async def test_a_night_waits_first_and_begins_once(store: NightStore) -> None:
    begun = await store.begin(night("n1", status="running"))
    assert begun == night("n1", status="waiting")
    assert await store.begin(night("n1", since=LATER)) == begun
    assert await store.night("n1") == begun


async def test_a_domain_has_one_unfinished_night(store: NightStore) -> None:
    await store.begin(night("n1"))
    with pytest.raises(AlreadyExists, match="night n1 is waiting on rust"):
        await store.begin(night("n2"))
    await store.begin(night("n3", domain="python"))
    await store.acquire("n1")
    await end(store, "n1")
    await store.begin(night("n2"))


async def test_one_night_runs_at_a_time_over_all_domains(store: NightStore) -> None:
    for id, domain in (("n1", "rust"), ("n2", "python"), ("n3", "law")):
        await store.begin(night(id, domain=domain))
    acquired = await asyncio.gather(*(store.acquire(id) for id in ("n1", "n2", "n3")))
    assert sum(acquired) == 1
    winner = f"n{1 + acquired.index(True)}"
    assert await store.acquire(winner), "a repeated step finds that it runs already"
    assert (await store.night(winner)).status == "running"
    await end(store, winner)
    others = [id for id in ("n1", "n2", "n3") if id != winner]
    assert await store.acquire(others[0])
    assert not await store.acquire(others[1])


async def test_a_night_that_has_ended_runs_only_after_it_was_reopened(store: NightStore) -> None:
    await store.begin(night("n1"))
    await end(store, "n1", "stopped")
    with pytest.raises(ValueError, match="has ended"):
        await store.acquire("n1")
    reopened = await store.reopen("n1")
    assert (reopened.status, reopened.ended_at, reopened.resumed_at) == ("waiting", None, LATER)
    assert await store.reopen("n1") == reopened
    assert await store.acquire("n1")


async def test_a_night_is_not_reopened_beside_another_of_its_domain(store: NightStore) -> None:
    await store.begin(night("n1"))
    await end(store, "n1", "stopped")
    await store.begin(night("n2"))
    with pytest.raises(AlreadyExists, match="night n2"):
        await store.reopen("n1")
    assert (await store.night("n1")).status == "stopped"


async def test_an_update_cannot_make_two_nights_run(store: NightStore) -> None:
    await store.begin(night("n1"))
    second = await store.begin(night("n2", domain="python"))
    await store.acquire("n1")
    with pytest.raises(AlreadyExists):
        await store.update(second.model_copy(update={"status": "running"}))


async def test_an_unknown_night_is_named(store: NightStore) -> None:
    for id in ("nowhere", "no\0where"):
        with pytest.raises(UnknownNight, match="no night"):
            await store.night(id)
    for call in (store.acquire("x"), store.reopen("x"), store.update(night("x"))):
        with pytest.raises(UnknownNight):
            await call
    with pytest.raises(UnknownNight):
        await store.add_step("x", StepReport(step="score", status="done"))


async def test_a_step_is_reported_once_however_often_it_is_repeated(store: NightStore) -> None:
    await store.begin(night("n1"))
    for step, figures in (("collect", {"turns": 4.0}), ("score", {}), ("collect", {"turns": 5.0})):
        await store.add_step(
            "n1", StepReport.model_validate({"step": step, "status": "done", "figures": figures})
        )
    steps = (await store.night("n1")).steps
    assert [(each.step, each.figures) for each in steps] == [("collect", {"turns": 5.0}), ("score", {})]


async def test_nights_are_listed_newest_first(store: NightStore) -> None:
    await store.begin(night("n1"))
    await end(store, "n1")
    await store.begin(night("n2", began_at=LATER))
    await store.begin(night("n3", domain="python", began_at=LATER + timedelta(hours=1)))
    assert [each.id for each in await store.nights()] == ["n3", "n2", "n1"]
    assert [each.id for each in await store.nights(domain="rust", limit=1)] == ["n2"]


async def test_the_newest_score_of_an_answer_counts(store: NightStore, log: InteractionLog) -> None:
    await store.save_scores([score("i1", 3), score("i2", 9)])
    await store.save_scores([score("i1", 4)])
    await store.save_scores([score("i1", 6, scorer="other@1", created_at=LATER)])
    assert await store.scores(["i1", "i2", "i3"]) == {
        "i1": score("i1", 6, scorer="other@1", created_at=LATER),
        "i2": score("i2", 9),
    }
    assert (await store.scores(["i1"], scorer="standard@1"))["i1"].value == 4
    await store.save_scores([])


async def test_what_is_about_a_deleted_turn_goes_and_is_not_saved(
    store: NightStore, log: InteractionLog
) -> None:
    await store.save_scores([score("i1"), score("gone")])
    await store.save_revision(revision("r1"))
    await store.save_revision(revision("r2", interaction_id="gone"))
    assert set(await store.scores(["i1", "gone"])) == {"i1"}
    assert [each.id for each in await store.revisions()] == ["r1"]
    await log.delete_before(WHEN + timedelta(days=9))
    assert await store.scores(["i1"]) == {}
    with pytest.raises(UnknownRevision, match="no longer kept"):
        await store.revision("r1")


async def test_revisions_are_found_by_what_they_are(store: NightStore, log: InteractionLog) -> None:
    await store.save_revision(revision("r1"))
    later = revision("r2", night_id="n2", status="needs_person", citations=(), created_at=LATER)
    await store.save_revision(later)
    await store.save_revision(revision("r1", status="rejected"))
    assert await store.revision("r1") == revision("r1", status="rejected")

    async def found(**filters: Any) -> list[str]:
        return [each.id for each in await store.revisions(**filters)]

    assert await found() == ["r2", "r1"]
    assert await found(night_id="n1") == ["r1"]
    assert await found(status="needs_person") == ["r2"]
    assert await found(status="improved") == []
    assert await found(domain="rust", since=LATER) == ["r2"]
    assert await found(limit=1) == ["r2"]
    assert await found(night_id="n\0") == []


async def test_a_repeated_statement_is_not_new(store: NightStore) -> None:
    assert await store.save_statements([]) == 0
    assert await store.save_statements([statement("s1"), statement("s2"), statement("s2")]) == 2
    assert await store.save_statements([statement("s1", interaction_id="i2"), statement("s3")]) == 1
    assert {each.interaction_id for each in await store.statements() if each.id == "s1"} == {"i2"}


async def test_statements_are_found_by_unit_and_can_be_forgotten(store: NightStore) -> None:
    stale = statement("s3", unit="bob", status="stale")
    await store.save_statements([statement("s1"), statement("s2", said_at=LATER), stale])
    assert [each.id for each in await store.statements(unit="ann")] == ["s2", "s1"]
    assert await store.statements(status="stale", domain="rust") == (stale,)
    assert await store.delete_unit("ann", WHEN) == 2
    assert await store.delete_unit("a\0n", WHEN) == 0
    assert await store.forgotten({"ann", "ben"}) == {"ann": WHEN}
    assert await store.statements() == (stale,)


async def test_topics_of_a_night_are_replaced(store: NightStore) -> None:
    await store.save_topics("n1", [topic("t1"), topic("t2", priority=2)])
    await store.save_topics("n2", [topic("t1", night_id="n2", created_at=LATER)])
    assert [each.id for each in await store.topics(domain="rust", night_id="n1")] == ["t2", "t1"]
    await store.save_topics("n1", [topic("t3")])
    assert [each.id for each in await store.topics(domain="rust")] == ["t1", "t3"]
    assert [each.night_id for each in await store.topics(domain="rust", since=LATER)] == ["n2"]
    assert await store.topics(domain="python") == ()
    await store.save_topics("n1", [])
    assert await store.topics(domain="rust", night_id="n1") == ()


async def test_a_decision_on_a_golden_pair_outlives_a_repeated_step(store: NightStore) -> None:
    assert await store.save_golden([golden("g1"), golden("g2", status="waiting")]) == 2
    decided = await store.decide_golden("g2", False, "ada")
    assert (decided.status, decided.decided_by) == ("declined", "ada")
    assert await store.save_golden([golden("g2", status="waiting"), golden("g3")]) == 1
    assert await store.golden(status="declined") == (decided,)
    assert [each.id for each in await store.golden(domain="rust", status="approved")] == ["g1", "g3"]
    assert await store.golden(night_id="n2") == ()
    with pytest.raises(UnknownGolden, match="no golden pair g9"):
        await store.decide_golden("g9", True, "ada")


async def test_people_are_shown_the_spot_checks_that_nobody_decided_on(store: NightStore) -> None:
    drawn = golden("g2", spot_check=True)
    held = golden("g3", spot_check=True, status="waiting", night_id="n2")
    await store.save_golden([golden("g1"), drawn, held, golden("g4", spot_check=True, domain="python")])
    assert [each.id for each in await store.golden_queue()] == ["g2", "g3", "g4"]
    assert await store.golden_queue(domain="rust", night_id="n2") == (held,)
    for id, approved in (("g2", True), ("g3", False)):
        assert not (await store.decide_golden(id, approved, "ada")).is_queued
    assert [each.id for each in await store.golden_queue()] == ["g4"]


async def test_a_withdrawn_pair_can_come_back_but_not_against_a_person(store: NightStore) -> None:
    await store.save_golden([golden("g1", spot_check=True), golden("g2")])
    await store.decide_golden("g2", True, "ada")
    withdrawn = await store.withdraw_golden("g1", "n2")
    assert (withdrawn.status, withdrawn.withdrawn_by, withdrawn.decided_by) == ("withdrawn", "n2", None)
    assert await store.withdraw_golden("g1", "n3") == withdrawn
    assert (await store.withdraw_golden("g2", "n2")).status == "approved"
    assert await store.golden_queue() == ()
    assert await store.save_golden([golden("g1", night_id="n3"), golden("g2", night_id="n3")]) == 1
    assert [each.status for each in await store.golden()] == ["approved", "approved"]
    assert await store.golden(night_id="n3") == (golden("g1", night_id="n3"),)


async def test_golden_pairs_are_found_by_what_they_come_from(store: NightStore) -> None:
    await store.save_golden([golden("g1", source="r1"), golden("g2")])
    assert [each.id for each in await store.golden(source="r1")] == ["g1"]


async def test_nights_that_wait_or_run_are_listed(store: NightStore) -> None:
    await store.begin(night("n1"))
    await store.begin(night("n2", domain="python"))
    await store.acquire("n2")
    assert [each.id for each in await store.unfinished()] == ["n1", "n2"]
    await end(store, "n2")
    assert [each.id for each in await store.unfinished()] == ["n1"]


async def test_surprise_is_kept_per_domain(store: NightStore) -> None:
    await store.save_surprises([surprise("a" * 64), surprise("a" * 64, domain="python", loss=3)])
    await store.save_surprises([surprise("a" * 64, loss=2), surprise("b" * 64)])
    await store.save_surprises([])
    found = await store.surprises("rust")
    assert {item[0]: each.loss for item, each in found.items()} == {"a": 2, "b": 1}
    assert (await store.surprises("python"))["a" * 64].loss == 3


async def test_many_ids_are_read_in_batches(store: NightStore, log: InteractionLog) -> None:
    await store.save_scores([score(f"i{number}") for number in range(1200)])
    assert set(await store.scores([f"i{number}" for number in range(1200)])) == {"i1", "i2"}
    assert await store.save_statements([statement(f"s{number}") for number in range(1200)]) == 1200
