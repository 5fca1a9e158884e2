"""The roles of deploy/roles.sql: each can do its process's work, and is denied the others'."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from dbos import DBOS
from sqlalchemy import insert

from agent.settings import Settings
from memory.checkpoints.connect import open_saver
from memory.database.database import Database, open_database
from memory.database.heartbeat import Heartbeat
from memory.database.tables import API_KEYS
from memory.errors import StoreUnavailable
from memory.outbox.approvals import approval_signer, check_approval
from memory.outbox.dbos import DbosOutbox, open_queue
from memory.records.access import EVERYTHING
from memory.records.approvals import ApprovalRecord
from memory.records.interactions import Gap
from memory.server.approvals import Approvals
from memory.server.audit import AuditLog
from memory.signatures import FOLDER, SigningKeys
from tests.roles.tried import FORBIDDEN, ROLES, allowed, as_role, is_denied, make_database, make_queue
from tests.support.adapters import curriculum
from tests.support.databases import in_own_loop, new_postgresql, postgresql

__all__ = ["postgresql"]

pytestmark = pytest.mark.services

LAMPS = curriculum("lamps")


@pytest.fixture(scope="module")
def owner(postgresql: Any) -> str:
    """A database as deploy/README.md has it made; the address of its owner."""
    url = new_postgresql(postgresql)
    in_own_loop(make_database(url))
    make_queue(url)
    return url


@pytest.fixture
async def api(owner: str) -> AsyncIterator[Database]:
    database = await open_database(as_role(owner, "nightschool_api"))
    yield database
    await database.aclose()


@pytest.fixture
async def approver(owner: str) -> AsyncIterator[Database]:
    database = await open_database(as_role(owner, "nightschool_approver"))
    yield database
    await database.aclose()


def test_the_settings_name_one_database_for_all_but_approvals(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, database_url="postgresql://localhost/nightschool")
    assert settings.training_url == settings.relational_url == settings.runs_url
    assert Settings(home=tmp_path).training_url == f"sqlite:///{tmp_path / 'shared' / 'training.db'}"


async def test_from_the_request_to_the_result_each_role_can_do_its_part(
    owner: str, api: Database, approver: Database, tmp_path: Path
) -> None:
    gap = Gap(
        id="g1",
        question="What is a zorble?",
        domain="lamps",
        keywords=("zorble",),
        uncertainty=None,
        opened_at=datetime.now(UTC),
    )
    await api.open_gap(gap)
    assert (await api.gap("g1", access=EVERYTHING)).question == gap.question
    await api.start_run("r1", subject="lamps", whole=True, domain="lamps", gap_id="g1", now=datetime.now(UTC))
    await Heartbeat(api).beat()
    await AuditLog(api).record("curriculum.approve", by="bob", subject=LAMPS.digest)
    async with open_saver(as_role(owner, "nightschool_api")) as saver:
        assert await saver.aget_tuple({"configurable": {"thread_id": "t1"}}) is None
    await asyncio.to_thread(DBOS.migrate, as_role(owner, "nightschool_api"))

    approvals = Approvals(approver, approval_signer(tmp_path))
    await approvals.verified(LAMPS.digest, run_id="r1")
    await approvals.record(approval())
    await approvals.require(LAMPS.digest)

    outbox = await asyncio.to_thread(DbosOutbox, tmp_path / "outbox", as_role(owner, "nightschool_api"))
    await outbox.submit(LAMPS, run_id="r1")
    assert await outbox.result(LAMPS.digest) is None
    queue = await asyncio.to_thread(open_queue, as_role(owner, "nightschool_worker"))
    (job,) = await asyncio.to_thread(queue.list_workflows, workflow_ids=[LAMPS.digest])
    assert job.status == "ENQUEUED"
    await asyncio.to_thread(queue.cancel_workflow, LAMPS.digest)
    await asyncio.to_thread(queue.destroy)
    assert check_approval(SigningKeys(tmp_path / FOLDER), tmp_path / "outbox", LAMPS.digest) == approval()
    result = await outbox.result(LAMPS.digest)
    assert result is not None
    assert result.reason == "the training job was cancelled"
    await outbox.submit(LAMPS, run_id="r2")  # what was cancelled may be tried again
    outbox.close()


async def test_the_api_approves_nothing_over_its_own_connection(api: Database) -> None:
    approvals = Approvals(api)
    with pytest.raises(StoreUnavailable, match="permission denied for table verifications"):
        await approvals.verified("a" * 64, run_id="r1")
    with pytest.raises(StoreUnavailable, match="permission denied for table api_keys"):
        async with api.begin() as connection:
            await connection.execute(insert(API_KEYS).values(id="k", digest="d", owner="eve", scope="admin"))


@pytest.mark.parametrize(("role", "statement"), FORBIDDEN)
def test_each_forbidden_act_is_denied(owner: str, role: str, statement: str) -> None:
    assert is_denied(owner, role, statement)


def test_no_role_but_the_api_reads_what_users_wrote(owner: str) -> None:
    tried = {each.table: dict(zip(ROLES, each.acts, strict=True)) for each in allowed(owner)}
    assert tried["interactions"]["nightschool_api"] == ("read", "add", "change", "delete")
    read = {
        role: {table for table, acts in tried.items() if "read" in acts[role]} - {"alembic_version"}
        for role in ROLES[1:]
    }
    ours = {"approvals", "verifications", "audit_log"}
    queue = {table for table in tried if table.startswith("training.")}
    assert len(queue) > 3
    assert read == {"nightschool_approver": ours, "nightschool_worker": ours | queue}


@pytest.mark.parametrize("role", ROLES)
def test_every_role_may_read_and_extend_the_audit_log(owner: str, role: str) -> None:
    async def append() -> None:
        database = await open_database(as_role(owner, role))
        await AuditLog(database).record("memory.forget", by=role, subject="x")
        await database.aclose()

    asyncio.run(append())


def approval() -> ApprovalRecord:
    return ApprovalRecord(
        digest=LAMPS.digest,
        run_id="r1",
        asked_by="ada",
        approved_by="bob",
        policy="human",
        approved_at=datetime(2026, 1, 1, tzinfo=UTC),
    )
