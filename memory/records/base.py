"""The base class of all records, and the field types they share: digests, names, shares, intervals."""

import hashlib
import json
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

DOMAIN_PATTERN = r"^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$"
ADAPTER_PATTERN = r"^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?-v[1-9][0-9]{0,5}-[0-9a-f]{8}$"
DIGEST_PATTERN = r"^[0-9a-f]{64}$"
Domain = Annotated[str, StringConstraints(pattern=DOMAIN_PATTERN)]
AdapterName = Annotated[str, StringConstraints(pattern=ADAPTER_PATTERN)]
Digest = Annotated[str, StringConstraints(pattern=DIGEST_PATTERN)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]


class Record(BaseModel):
    """A frozen value: compared by content, safe to share between tasks, strict about unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def digest_of(value: object) -> str:
    """SHA-256 (64 hex digits) of the canonical JSON form of `value`: sorted keys, no spaces, UTF-8."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


class Interval(Record):
    """A value known only to lie between two bounds; equal bounds mean an exact value."""

    lower: float
    upper: float

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.lower <= self.upper:
            raise ValueError(f"lower bound {self.lower} exceeds upper bound {self.upper}")
        return self
