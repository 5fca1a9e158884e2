"""Policies of personal data: what takes its place in a text, by type."""

import hashlib
import hmac
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESSIV

Policy = Literal["mask", "hash", "encrypt", "keep"]
TYPES = (
    "CREDIT_CARD",
    "CRYPTO",
    "EMAIL_ADDRESS",
    "IBAN_CODE",
    "IP_ADDRESS",
    "NATIONAL_ID",
    "PERSON",
    "PHONE_NUMBER",
    "US_SSN",
)
PLACEHOLDER = re.compile(rf"<({'|'.join(TYPES)})(?::([0-9a-f]{{12}})|:enc:([A-Za-z0-9_-]{{22,}}={{0,2}}))?>")
"""What takes the place of personal data: its type, with a hash or the encrypted value."""


def parse_policies(text: str) -> Mapping[str, Policy]:
    """The policy of each type, from `TYPE=policy` separated by commas.

    Types that are not named are masked, except PERSON, which is kept: questions about a person could not be
    learned without the name. Raises ValueError.
    """
    policies: dict[str, Policy] = {type: "keep" if type == "PERSON" else "mask" for type in TYPES}
    for part in filter(None, map(str.strip, text.split(","))):
        type_, _, policy = (each.strip() for each in part.partition("="))
        if type_ not in TYPES or policy not in get_args(Policy):
            raise ValueError(
                f"{part!r} is no policy: write TYPE=POLICY with a type of {', '.join(TYPES)} and one of"
                f" {', '.join(get_args(Policy))}"
            )
        policies[type_] = policy  # type: ignore[assignment]  # checked above
    return policies


class Replacements:
    """Replaces values by policy; equal values of a type are replaced by equal placeholders."""

    def __init__(self, policies: Mapping[str, Policy], key: bytes) -> None:
        """`key` is secret; who has it can reveal what was encrypted with it."""
        self._policies = policies
        self._key = key

    def of(self, type: str, value: str) -> str:
        """What takes the value's place."""
        match self._policies[type]:
            case "keep":
                return value
            case "mask":
                return f"<{type}>"
            case "hash":
                plain = "".join(value.split()).casefold()
                digest = hmac.digest(_hash_key(self._key), f"{type}:{plain}".encode(), hashlib.sha256)
                return f"<{type}:{digest.hex()[:12]}>"
            case "encrypt":
                sealed = _cipher(self._key).encrypt(value.encode("utf-8", "surrogatepass"), [type.encode()])
                return f"<{type}:enc:{urlsafe_b64encode(sealed).decode()}>"


def reveal(text: str, key: bytes) -> str:
    """The text with its encrypted values in plain. Raises ValueError for the wrong key."""
    from cryptography.exceptions import InvalidTag

    cipher = _cipher(key)

    def plain(match: re.Match[str]) -> str:
        if match[3] is None:
            return match[0]
        try:
            value = cipher.decrypt(urlsafe_b64decode(match[3]), [match[1].encode()])
        except (InvalidTag, ValueError):
            raise ValueError(
                f"{match[0][:40]}... was not encrypted with this key: set NIGHTSCHOOL_PRIVACY_KEY to the key"
                " that the service had then"
            ) from None
        return value.decode("utf-8", "surrogatepass")

    return PLACEHOLDER.sub(plain, text)


def _cipher(key: bytes) -> "AESSIV":
    # Imported here, because it takes 20 ms and the settings import this module.
    from cryptography.hazmat.primitives.ciphers.aead import AESSIV

    from memory.derived_keys import derived_key

    return AESSIV(derived_key(key, "nightschool privacy encrypt", length=64))


def _hash_key(key: bytes) -> bytes:
    from memory.derived_keys import derived_key

    return derived_key(key, "nightschool privacy hash")
