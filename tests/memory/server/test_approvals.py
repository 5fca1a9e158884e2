"""Approvals: the digest decides, only what was verified is approved, and never by who asked for it."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from memory.database.database import Database, open_database
from memory.database.tables import APPROVALS
from memory.errors import BadSignature, NotApproved
from memory.outbox.approvals import ApprovalSigner, check_approval
from memory.records.approvals import ApprovalRecord
from memory.server.approvals import Approvals
from memory.server.keys import LOCAL_OPERATOR
from memory.signatures import SigningKeys
from tests.support.databases import database_url, empty_runs, home, postgresql, template

__all__ = ["database_url", "empty_runs", "home", "postgresql", "template"]

OLD, NEW = "a" * 64, "b" * 64


@pytest.fixture
async def approvals(database_url: str) -> AsyncIterator[Approvals]:
    database: Database = await open_database(database_url)
    yield Approvals(database)
    await database.aclose()


def approval(digest: str = OLD, **changes: Any) -> ApprovalRecord:
    fields: dict[str, Any] = {
        "digest": digest,
        "run_id": "r1",
        "asked_by": "ada",
        "approved_by": "policy",
        "policy": "auto",
        "approved_at": datetime(2026, 1, 1, tzinfo=UTC),
    }
    return ApprovalRecord(**(fields | changes))


async def test_only_what_was_verified_can_be_approved(approvals: Approvals) -> None:
    with pytest.raises(NotApproved, match="never verified"):
        await approvals.record(approval())
    with pytest.raises(NotApproved, match="nobody approved to teach"):
        await approvals.require(OLD)
    await approvals.verified(OLD, run_id="r1")
    await approvals.record(approval())
    assert await approvals.require(OLD) == approval()
    assert await approvals.get(NEW) is None


async def test_a_persons_approval_replaces_the_policys_and_then_stays(approvals: Approvals) -> None:
    await approvals.verified(OLD, run_id="r1")
    await approvals.record(approval())
    with pytest.raises(NotApproved, match="a person must approve it now"):
        await approvals.require(OLD, policy="human")
    by_bob = approval(policy="human", approved_by="bob")
    for later in (by_bob, approval(), approval(policy="human", approved_by="eve")):
        await approvals.record(later)
    assert await approvals.require(OLD, policy="human") == by_bob


async def test_nobody_approves_what_they_asked_for(approvals: Approvals) -> None:
    await approvals.verified(OLD, run_id="r1")
    with pytest.raises(NotApproved, match="the owner of another key must decide"):
        await approvals.record(approval(policy="human", approved_by="ada"))
    alone = approval(policy="human", asked_by=LOCAL_OPERATOR, approved_by=LOCAL_OPERATOR)
    await approvals.record(alone)
    assert await approvals.get(OLD) == alone


async def test_the_same_content_keeps_its_approval_under_a_new_digest(approvals: Approvals) -> None:
    with pytest.raises(NotApproved):
        await approvals.renew(OLD, NEW)
    await approvals.verified(OLD, run_id="r1")
    await approvals.record(approval())
    await approvals.renew(OLD, NEW)
    await approvals.renew(OLD, NEW)
    assert await approvals.require(NEW) == approval(NEW)


async def test_an_approval_that_the_approver_did_not_sign_is_none(database_url: str, tmp_path: Path) -> None:
    database = await open_database(database_url)
    keys, outbox = SigningKeys(tmp_path / "keys"), tmp_path / "outbox"
    approvals = Approvals(database, ApprovalSigner(keys, outbox))
    await approvals.verified(OLD, run_id="r1")
    await approvals.record(approval())
    path = outbox / f"{OLD}.approval.json"
    assert check_approval(keys, outbox, OLD) == approval()
    path.unlink()
    for _ in range(2):  # what a crash prevented is written again
        assert await approvals.require(OLD) == check_approval(keys, outbox, OLD) == approval()
        path.unlink()
    by_bob = approval(policy="human", approved_by="bob")
    await approvals.record(by_bob)
    assert await approvals.require(OLD, policy="human") == by_bob
    async with database.begin() as connection:
        await connection.execute(update(APPROVALS).values(approved_by="eve"))
    with pytest.raises(BadSignature, match="refused"):
        await approvals.require(OLD)
    async with database.begin() as connection:
        await connection.execute(update(APPROVALS).values(signature=None))
    with pytest.raises(BadSignature, match="is not signed"):
        await approvals.require(OLD)
    assert not path.exists() or check_approval(keys, outbox, OLD) == by_bob
    await database.aclose()


async def test_to_forget_needs_an_approval_of_its_own(approvals: Approvals) -> None:
    await approvals.verified(OLD, run_id="r1")
    await approvals.record(approval())
    with pytest.raises(NotApproved, match="an admin must ask"):
        await approvals.require(OLD, "forget")
    asked = approval(act="forget", policy="admin", approved_by="ada")
    await approvals.record(asked)
    assert await approvals.require(OLD, "forget", policy="human") == asked
