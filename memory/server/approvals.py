"""Approvals in the relational store, by the digest of what is approved, and the verifications before them.

A graph's state may be a client's, so steps that hand over, promote or forget look here.
"""

import asyncio
from typing import Any

from sqlalchemy import RowMapping, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from memory.database.database import Database
from memory.database.tables import APPROVALS, VERIFICATIONS
from memory.errors import NotApproved, OwnApproval
from memory.outbox.approvals import ApprovalSigner
from memory.records.approvals import Act, ApprovalPolicy, ApprovalRecord
from memory.records.base import Digest
from memory.server.keys import LOCAL_OPERATOR
from memory.server.threads import moment


class Approvals:
    """The approvals of one database.

    Every approval goes through `record`, whoever gives it, and every step that acts on one through `require`:
    signatures are made in the one and checked in the other.
    """

    def __init__(self, database: Database, signer: ApprovalSigner | None = None) -> None:
        """`signer` signs what may be taught for the trainer, which refuses the rest; None for a trainer that
        is a fake."""
        self._database = database
        self._signer = signer

    async def verified(self, digest: Digest, *, run_id: str) -> None:
        """Records that the run verified what has this digest against its sources; safe to repeat."""
        row = {"digest": digest, "run_id": run_id, "verified_at": self._database.now().timestamp()}
        async with self._database.begin() as connection:
            await connection.execute(self._database.insert_once(VERIFICATIONS).values(row))

    async def record(self, approval: ApprovalRecord) -> None:
        """Records an approval; safe to repeat. The first one counts, but a person's replaces the policy's.

        Raises NotApproved for teaching what was never verified, and OwnApproval for a person who asked for
        the run; where authentication is off, there is only one person.
        """
        if approval.policy == "human" and approval.approved_by == approval.asked_by != LOCAL_OPERATOR:
            raise OwnApproval(
                f"{approval.asked_by} asked for this run, or changed it: the owner of another key must decide"
            )
        signature = await asyncio.to_thread(self._signer.sign, approval) if self._signer else None
        async with self._database.begin() as connection:
            await _record(self._database, connection, approval, signature)
        if self._signer is not None:
            await self.require(approval.digest, approval.act)  # which hands it to the trainer

    async def get(self, digest: Digest, act: Act = "teach") -> ApprovalRecord | None:
        """The approval of what has this digest, if there is one."""
        async with self._database.begin() as connection:
            row = await _get(connection, digest, act)
        return None if row is None else _approval(row)

    async def require(
        self, digest: Digest, act: Act = "teach", *, policy: ApprovalPolicy = "auto"
    ) -> ApprovalRecord:
        """The approval; for the policy `human` a person must have given it.

        Its signature is checked, and put where the trainer looks for it. Raises NotApproved, and BadSignature
        for a row that the approver did not sign.
        """
        async with self._database.begin() as connection:
            row = await _get(connection, digest, act)
        if row is None:
            raise NotApproved(
                f"nobody approved to {act} {digest[:12]}: "
                + ("run it from its verification on" if act == "teach" else "an admin must ask to forget it")
            )
        approval = _approval(row)
        if policy == "human" and not approval.by_person:
            raise NotApproved(
                f"{digest[:12]} was approved by the policy `auto`, but a person must approve it now: fork the"
                " run before its step `approve`"
            )
        if self._signer is not None:
            await asyncio.to_thread(self._signer.check, approval, row["signature"])
        return approval

    async def renew(self, old: Digest, new: Digest) -> None:
        """Approves the same content under a new digest, on which it is taught again. Raises NotApproved."""
        approval = await self.require(old)
        await self.verified(new, run_id=approval.run_id)
        await self.record(approval.model_copy(update={"digest": new}))


async def _record(
    database: Database, connection: AsyncConnection, approval: ApprovalRecord, signature: str | None
) -> None:
    if approval.act == "teach":
        verified = select(VERIFICATIONS.c.digest).where(VERIFICATIONS.c.digest == approval.digest)
        if (await connection.execute(verified)).first() is None:
            raise NotApproved(f"{approval.digest[:12]} was never verified against its sources")
    row: dict[str, Any] = approval.model_dump() | {
        "approved_at": approval.approved_at.timestamp(),
        "signature": signature,
    }
    added = await connection.execute(
        database.insert_once(APPROVALS).values(row).returning(APPROVALS.c.digest)
    )
    if added.first() is None and approval.by_person:
        this = (APPROVALS.c.digest == approval.digest, APPROVALS.c.act == approval.act)
        by_policy = update(APPROVALS).where(*this, APPROVALS.c.policy == "auto")
        await connection.execute(by_policy.values(row))


async def _get(connection: AsyncConnection, digest: Digest, act: Act) -> RowMapping | None:
    query = select(APPROVALS).where(APPROVALS.c.digest == digest, APPROVALS.c.act == act)
    return (await connection.execute(query)).mappings().first()


def _approval(row: RowMapping) -> ApprovalRecord:
    fields = {name: value for name, value in row.items() if name != "signature"}
    return ApprovalRecord(**{**fields, "approved_at": moment(row["approved_at"])})
