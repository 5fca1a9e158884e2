"""Signed approvals, as the approver puts them beside what the trainer is to learn."""

from datetime import UTC, datetime
from pathlib import Path

from memory.outbox.approvals import approval_signer
from memory.records.approvals import ApprovalRecord
from memory.records.base import Digest


def approve(home: Path, digest: Digest) -> None:
    """Approves what has this digest, for the trainer of a home folder."""
    signer = approval_signer(home)
    approval = ApprovalRecord(
        digest=digest,
        run_id="r1",
        asked_by="ada",
        approved_by="policy",
        policy="auto",
        approved_at=datetime(2026, 1, 1, tzinfo=UTC),
    )
    signer.check(approval, signer.sign(approval))
