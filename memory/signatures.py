"""Ed25519 signatures: the approver signs approvals, the trainer signs the adapters that it registers.

Each role's private key is made at its first use, in a file of its own (`keys/ROLE.key`, mode 0600). To check
a signature takes the public half (`keys/public/ROLE.pem`).
"""

import base64
import binascii
import os
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Literal

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from memory.errors import BadSignature, StoreUnavailable

Role = Literal["approver", "worker"]
FOLDER = "keys"
"""Name of the keys' folder in the home folder."""


class SigningKeys:
    """The keys in a folder, which is created with the first key."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def sign(self, role: Role, purpose: str, content: bytes) -> str:
        """The role's signature over content, as base64; one for another purpose is never valid for this one.

        Raises StoreUnavailable if the private key cannot be read or made.
        """
        return base64.b64encode(self._private(role).sign(_message(purpose, content))).decode()

    def check(self, role: Role, purpose: str, content: bytes, signature: str) -> None:
        """Raises BadSignature unless the role signed exactly this, and StoreUnavailable without its key."""
        try:
            self._public(role).verify(base64.b64decode(signature, validate=True), _message(purpose, content))
        except (InvalidSignature, binascii.Error, ValueError):
            raise BadSignature(f"the signature is not one of the {role}'s over this {purpose}") from None

    def make(self, role: Role) -> None:
        """Makes the role's keys unless they are there. Raises StoreUnavailable."""
        self._private(role)

    def private_path(self, role: Role) -> Path:
        """The file with the private key."""
        return self._folder / f"{role}.key"

    def public_path(self, role: Role) -> Path:
        """The file with the public key."""
        return self._folder / "public" / f"{role}.pem"

    def _private(self, role: Role) -> Ed25519PrivateKey:
        path = self.private_path(role)
        try:
            if not path.exists():
                _create(path, _private_pem(), 0o600)
            key = load_pem_private_key(path.read_bytes(), None)
            if not isinstance(key, Ed25519PrivateKey):
                raise ValueError("it is no Ed25519 key")
            self._publish(role, key)
        except (OSError, ValueError, UnsupportedAlgorithm) as error:
            raise StoreUnavailable(
                f"the {role}'s key {path} cannot be used: only the user that runs the {role} may read it, and"
                f" a lost one is replaced by removing it with {self.public_path(role)} ({error})"
            ) from error
        return key

    def _publish(self, role: Role, key: Ed25519PrivateKey) -> None:
        """Writes the public half if a crash prevented it. Raises ValueError if another key's is there."""
        path = self.public_path(role)
        pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        if not path.exists():
            _create(path, pem, 0o644)
        if path.read_bytes() != pem:
            raise ValueError(f"{path} belongs to another key")

    def _public(self, role: Role) -> Ed25519PublicKey:
        path = self.public_path(role)
        try:
            key = load_pem_public_key(path.read_bytes())
        except FileNotFoundError:
            raise BadSignature(f"nothing was signed by the {role} yet: {path} is missing") from None
        except (OSError, ValueError, UnsupportedAlgorithm) as error:
            raise StoreUnavailable(f"the {role}'s public key {path} cannot be read ({error})") from error
        if not isinstance(key, Ed25519PublicKey):
            raise StoreUnavailable(f"{path} is no Ed25519 key: copy the {role}'s public key there")
        return key


def _message(purpose: str, content: bytes) -> bytes:
    return f"nightschool {purpose}\n".encode() + content


def _private_pem() -> bytes:
    key = Ed25519PrivateKey.generate()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _create(path: Path, content: bytes, mode: int) -> None:
    """Creates a complete file, unless another process has been faster."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(mode)
        with suppress(FileExistsError):
            os.link(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
