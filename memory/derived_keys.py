"""Keys for single purposes, derived from one secret: none tells anything of the secret or of another key."""

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES = 32


def derived_key(secret: bytes, purpose: str, *, length: int = KEY_BYTES) -> bytes:
    """The key for this purpose (HKDF-SHA256, RFC 5869)."""
    return HKDF(algorithm=SHA256(), length=length, salt=None, info=purpose.encode()).derive(secret)
