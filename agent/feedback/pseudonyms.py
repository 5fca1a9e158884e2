"""Pseudonyms of users and conversations, so that logged turns can be grouped but name nobody."""

import hashlib
import hmac

PSEUDONYM_DIGITS = 32
"""128 bits: two units share a pseudonym less often than two random UUIDs are equal."""


def pseudonym(unit: str, key: str) -> str:
    """The unit's pseudonym: HMAC-SHA256 (RFC 2104) under the service's key, cut to PSEUDONYM_DIGITS.

    Without the key nobody can tell whether a guessed unit is the right one.
    """
    return hmac.new(key.encode(), unit.encode(), hashlib.sha256).hexdigest()[:PSEUDONYM_DIGITS]
