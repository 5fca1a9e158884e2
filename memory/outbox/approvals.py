"""Signed approvals beside what they approve in the outbox folder: `DIGEST.approval.json`."""

from datetime import UTC
from pathlib import Path

from pydantic import ValidationError

from memory.errors import BadSignature, StoreUnavailable
from memory.outbox.files import write_atomically
from memory.records.approvals import ApprovalRecord
from memory.records.base import Digest, Record
from memory.signatures import FOLDER as KEYS
from memory.signatures import SigningKeys

PURPOSE = "approval"


class SignedApproval(Record):
    """An approval with the approver's signature over it."""

    approval: ApprovalRecord
    signature: str


class ApprovalSigner:
    """Signs approvals, and hands those to teach to the trainer through the outbox folder."""

    def __init__(self, keys: SigningKeys, folder: Path) -> None:
        """`folder` is that of the outbox."""
        self._keys = keys
        self._folder = folder

    def sign(self, approval: ApprovalRecord) -> str:
        """The approver's signature. Raises StoreUnavailable if the key cannot be used."""
        return self._keys.sign("approver", PURPOSE, _content(approval))

    def check(self, approval: ApprovalRecord, signature: str | None) -> None:
        """Checks the signature, and writes one to teach where the trainer looks for it; safe to repeat.

        Raises BadSignature for an approval that the approver did not sign as it is, and StoreUnavailable.
        """
        if signature is None:
            raise BadSignature(f"the approval of {approval.digest[:12]} is not signed: approve it again")
        signed = SignedApproval(approval=approval, signature=signature)
        _check(self._keys, signed, approval.digest)
        if approval.act == "teach":
            path = _path(self._folder, approval.digest)
            try:
                write_atomically(path, signed.model_dump_json())
            except OSError as error:
                raise StoreUnavailable(
                    f"{path} cannot be written: check that the outbox is writable and has space ({error})"
                ) from error


def approval_signer(home: Path) -> ApprovalSigner:
    """The signer of a home folder, with its keys and its outbox."""
    return ApprovalSigner(SigningKeys(home / KEYS), home / "outbox")


def check_approval(keys: SigningKeys, folder: Path, digest: Digest) -> ApprovalRecord:
    """The approval to teach what has this digest, after its signature was checked.

    Raises BadSignature without one, or for one that is not the approver's; StoreUnavailable.
    """
    path = _path(folder, digest)
    try:
        signed = SignedApproval.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise BadSignature(f"{path} is missing: nobody signed the approval of {digest[:12]}") from None
    except ValidationError as error:
        raise BadSignature(f"{path} is no signed approval: approve {digest[:12]} again ({error})") from error
    _check(keys, signed, digest)
    if signed.approval.act != "teach":
        raise BadSignature(f"{path} approves to {signed.approval.act}, not to teach, {digest[:12]}")
    return signed.approval


def _check(keys: SigningKeys, signed: SignedApproval, digest: Digest) -> None:
    if signed.approval.digest != digest:
        raise BadSignature(f"the approval beside {digest[:12]} is of {signed.approval.digest[:12]}")
    try:
        keys.check("approver", PURPOSE, _content(signed.approval), signed.signature)
    except BadSignature as error:
        raise BadSignature(f"the approval of {digest[:12]} is refused: {error}") from error


def _content(approval: ApprovalRecord) -> bytes:
    """The same bytes for the same approval, also after it was in a database."""
    approved_at = approval.approved_at.astimezone(UTC)
    return approval.model_copy(update={"approved_at": approved_at}).model_dump_json().encode()


def _path(folder: Path, digest: Digest) -> Path:
    return folder / f"{digest}.approval.json"
