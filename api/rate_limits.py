"""Rate limits of each owner of API keys: requests and tokens a minute; learn runs, bytes, erasures a day.

They are counted in this process, in fixed windows: several api processes on one database count each on its
own, and a restart begins new windows. A limit of 0 is off.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from limits import RateLimitItem, RateLimitItemPerDay, RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import FixedWindowRateLimiter

from agent.settings import PREFIX, Settings

Kind = Literal["requests", "tokens", "learn_runs", "ingest_bytes", "erasures"]
SHOWN: tuple[Kind, ...] = ("requests", "tokens")
"""Limits whose state each reply shows in its headers, named as OpenAI names them."""


@dataclass(frozen=True)
class _Words:
    what: str
    remedy: str


_WORDS: dict[Kind, _Words] = {
    "requests": _Words("requests a minute", "send fewer"),
    "tokens": _Words("tokens a minute", "send shorter conversations, or fewer"),
    "learn_runs": _Words("learn runs a day", "continue tomorrow"),
    "ingest_bytes": _Words("ingested bytes a day", "continue tomorrow"),
    "erasures": _Words("erasures a day", "continue tomorrow, or ask an admin"),
}


class RateLimited(Exception):
    """The owner has reached a limit; `headers` say when to try again."""

    def __init__(self, message: str, headers: dict[str, str]) -> None:
        super().__init__(message)
        self.headers = headers


class RateLimits:
    """The counters of one process. Keys of one owner share them."""

    def __init__(
        self,
        *,
        requests: int = 0,
        tokens: int = 0,
        learn_runs: int = 0,
        ingest_bytes: int = 0,
        erasures: int = 0,
        on_refused: Callable[[Kind], None] | None = None,
    ) -> None:
        """`on_refused` is told of each refusal."""
        items: dict[Kind, RateLimitItem] = {
            "requests": RateLimitItemPerMinute(requests),
            "tokens": RateLimitItemPerMinute(tokens),
            "learn_runs": RateLimitItemPerDay(learn_runs),
            "ingest_bytes": RateLimitItemPerDay(ingest_bytes),
            "erasures": RateLimitItemPerDay(erasures),
        }
        self._items = {kind: item for kind, item in items.items() if item.amount}
        self._on_refused = on_refused
        self._limiter = FixedWindowRateLimiter(MemoryStorage())

    @classmethod
    def of(cls, settings: Settings, on_refused: Callable[[Kind], None] | None = None) -> "RateLimits":
        """The limits of the settings."""
        return cls(
            requests=settings.rate_requests,
            tokens=settings.rate_tokens,
            learn_runs=settings.rate_learn_runs,
            ingest_bytes=settings.rate_ingest_bytes,
            erasures=settings.rate_erasures,
            on_refused=on_refused,
        )

    async def spend(self, kind: Kind, owner: str | None, amount: int = 1) -> None:
        """Counts an amount, or counts nothing and raises RateLimited if it exceeds what is left.

        Owner None, an admin or a service without keys, has no limit.
        """
        item = self._items.get(kind)
        if item is None or owner is None:
            return
        if not await self._limiter.test(item, kind, owner, cost=amount):
            raise await self._error(kind, item, owner)
        await self._limiter.hit(item, kind, owner, cost=amount)

    async def count_tokens(self, owner: str | None, tokens: int) -> None:
        """Counts the tokens of a reply, which are known only afterwards and may exceed what is left."""
        item = self._items.get("tokens")
        if item is not None and owner is not None and tokens:
            await self._limiter.hit(item, "tokens", owner, cost=tokens)

    async def require_tokens(self, owner: str | None) -> None:
        """Raises RateLimited once earlier replies have used up the tokens of this minute."""
        item = self._items.get("tokens")
        if item is not None and owner is not None and not await self._limiter.test(item, "tokens", owner):
            raise await self._error("tokens", item, owner)

    async def headers(self, owner: str) -> dict[str, str]:
        """The state of the limits a minute, as headers of a reply."""
        found: dict[str, str] = {}
        for kind in SHOWN:
            if (item := self._items.get(kind)) is not None:
                found |= await self._state(kind, item, owner)
        return found

    async def _state(self, kind: Kind, item: RateLimitItem, owner: str) -> dict[str, str]:
        reset, remaining = await self._limiter.get_window_stats(item, kind, owner)
        name = kind.replace("_", "-")
        return {
            f"x-ratelimit-limit-{name}": str(item.amount),
            f"x-ratelimit-remaining-{name}": str(max(0, remaining)),
            f"x-ratelimit-reset-{name}": f"{_seconds_until(reset)}s",
        }

    async def _error(self, kind: Kind, item: RateLimitItem, owner: str) -> RateLimited:
        reset, _ = await self._limiter.get_window_stats(item, kind, owner)
        wait = max(1, _seconds_until(reset))
        words = _WORDS[kind]
        if self._on_refused is not None:
            self._on_refused(kind)
        return RateLimited(
            f"{owner} may not exceed {item.amount} {words.what}: {words.remedy}, or raise"
            f" {PREFIX}RATE_{kind.upper()}; what was counted is forgotten in {wait} s",
            {"Retry-After": str(wait)} | await self._state(kind, item, owner),
        )


def _seconds_until(reset: float) -> int:
    return max(0, math.ceil(reset - time.time()))
