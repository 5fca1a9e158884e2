"""What the trainer finds beside a curriculum is an approval that the approver signed, for this digest."""

import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from memory.errors import BadSignature
from memory.outbox.approvals import ApprovalSigner, check_approval
from memory.records.approvals import ApprovalRecord
from memory.signatures import SigningKeys

LAMPS, CLOCKS = "a" * 64, "b" * 64


def approval(digest: str = LAMPS, **changes: Any) -> ApprovalRecord:
    fields: dict[str, Any] = {
        "digest": digest,
        "run_id": "r1",
        "asked_by": "ada",
        "approved_by": "bob",
        "policy": "human",
        "approved_at": datetime(2026, 1, 1, tzinfo=UTC),
    }
    return ApprovalRecord(**(fields | changes))


@pytest.fixture
def keys(tmp_path: Path) -> SigningKeys:
    return SigningKeys(tmp_path / "keys")


@pytest.fixture
def signer(keys: SigningKeys, tmp_path: Path) -> ApprovalSigner:
    return ApprovalSigner(keys, tmp_path / "outbox")


def test_a_signed_approval_is_found_in_the_outbox(
    signer: ApprovalSigner, keys: SigningKeys, tmp_path: Path
) -> None:
    signature = signer.sign(approval())
    signer.check(approval(), signature)
    signer.check(approval(), signature)
    assert check_approval(keys, tmp_path / "outbox", LAMPS) == approval()


def test_a_time_in_another_zone_is_the_same_approval(signer: ApprovalSigner) -> None:
    local = approval().approved_at.astimezone(timezone(timedelta(hours=2)))
    signer.check(approval(), signer.sign(approval(approved_at=local)))


def test_what_was_never_approved_is_refused(keys: SigningKeys, tmp_path: Path) -> None:
    with pytest.raises(BadSignature, match="nobody signed the approval"):
        check_approval(keys, tmp_path / "outbox", LAMPS)


@pytest.mark.parametrize("field", ["approved_by", "policy", "digest", "act"])
def test_an_altered_approval_is_refused(
    signer: ApprovalSigner, keys: SigningKeys, tmp_path: Path, field: str
) -> None:
    signer.check(approval(policy="auto"), signer.sign(approval(policy="auto")))
    path = tmp_path / "outbox" / f"{LAMPS}.approval.json"
    signed = json.loads(path.read_text())
    signed["approval"][field] = {"policy": "human", "digest": CLOCKS, "act": "forget"}.get(field, "eve")
    path.write_text(json.dumps(signed))
    with pytest.raises(BadSignature):
        check_approval(keys, tmp_path / "outbox", LAMPS)


def test_the_approval_of_another_curriculum_is_refused(
    signer: ApprovalSigner, keys: SigningKeys, tmp_path: Path
) -> None:
    signer.check(approval(CLOCKS), signer.sign(approval(CLOCKS)))
    folder = tmp_path / "outbox"
    (folder / f"{CLOCKS}.approval.json").rename(folder / f"{LAMPS}.approval.json")
    with pytest.raises(BadSignature, match="is of bbbb"):
        check_approval(keys, folder, LAMPS)


@pytest.mark.parametrize("content", ["", "{", "{}"])
def test_a_file_that_is_no_approval_is_refused(keys: SigningKeys, tmp_path: Path, content: str) -> None:
    (tmp_path / f"{LAMPS}.approval.json").write_text(content)
    with pytest.raises(BadSignature, match="no signed approval"):
        check_approval(keys, tmp_path, LAMPS)


def test_an_approval_to_forget_is_none_to_teach(
    signer: ApprovalSigner, keys: SigningKeys, tmp_path: Path
) -> None:
    forget = approval(act="forget", policy="admin")
    signer.check(forget, signer.sign(forget))
    with pytest.raises(BadSignature, match="missing"):
        check_approval(keys, tmp_path / "outbox", LAMPS)
