"""A signature holds for one role, one purpose and one content, and a key is made once."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from memory.errors import BadSignature, StoreUnavailable
from memory.signatures import SigningKeys


def test_a_signature_holds_for_its_role_purpose_and_content_alone(tmp_path: Path) -> None:
    keys = SigningKeys(tmp_path / "keys")
    signature = keys.sign("approver", "approval", b"lamps")
    keys.make("worker")
    keys.check("approver", "approval", b"lamps", signature)
    SigningKeys(tmp_path / "keys").check("approver", "approval", b"lamps", signature)
    for role, purpose, content, other in [
        ("worker", "approval", b"lamps", signature),
        ("approver", "adapter", b"lamps", signature),
        ("approver", "approval", b"clocks", signature),
        ("approver", "approval", b"lamps", keys.sign("worker", "approval", b"lamps")),
        ("approver", "approval", b"lamps", "no base64!"),
        ("approver", "approval", b"lamps", ""),
    ]:
        with pytest.raises(BadSignature, match="not one of the"):
            keys.check(role, purpose, content, other)  # type: ignore[arg-type]


def test_another_homes_key_signs_nothing_here(tmp_path: Path) -> None:
    here, elsewhere = SigningKeys(tmp_path / "here"), SigningKeys(tmp_path / "elsewhere")
    here.make("approver")
    with pytest.raises(BadSignature):
        here.check("approver", "approval", b"lamps", elsewhere.sign("approver", "approval", b"lamps"))


def test_without_a_key_nothing_was_signed(tmp_path: Path) -> None:
    with pytest.raises(BadSignature, match="nothing was signed by the worker yet"):
        SigningKeys(tmp_path).check("worker", "adapter", b"lamps", "")


def test_the_private_half_is_for_its_user_alone_and_the_public_one_for_all(tmp_path: Path) -> None:
    keys = SigningKeys(tmp_path)
    keys.make("worker")
    assert keys.private_path("worker").stat().st_mode & 0o777 == 0o600
    assert keys.public_path("worker").stat().st_mode & 0o777 == 0o644
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["public", "worker.key", "worker.pem"]


def test_processes_that_start_at_once_make_one_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        made = set(threads.map(lambda _: SigningKeys(tmp_path).sign("worker", "adapter", b"x"), range(8)))
    assert len(made) == 1


def test_a_key_whose_public_half_a_crash_prevented_repairs_itself(tmp_path: Path) -> None:
    keys = SigningKeys(tmp_path)
    signature = keys.sign("worker", "adapter", b"x")
    keys.public_path("worker").unlink()
    assert keys.sign("worker", "adapter", b"x") == signature
    keys.check("worker", "adapter", b"x", signature)


def test_a_key_that_is_none_or_does_not_fit_its_public_half_says_what_to_do(tmp_path: Path) -> None:
    keys = SigningKeys(tmp_path)
    keys.make("worker")
    keys.make("approver")
    keys.private_path("worker").write_bytes(keys.private_path("approver").read_bytes())
    with pytest.raises(StoreUnavailable, match="belongs to another key"):
        keys.sign("worker", "adapter", b"x")
    keys.private_path("worker").write_text("no key")
    with pytest.raises(StoreUnavailable, match="cannot be used"):
        keys.sign("worker", "adapter", b"x")
