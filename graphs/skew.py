"""Measures the skew of a domain with the stores of a runtime."""

from datetime import datetime

from agent.skew.gather import Compute, SkewStores, gather_skew, in_thread
from agent.skew.limits import skew_limits
from agent.skew.records import SkewReport
from graphs.state import Runtime
from memory.records.access import Access
from memory.records.base import Domain


async def domain_skew(
    domain: Domain,
    runtime: Runtime,
    *,
    until: datetime,
    access: Access,
    since: datetime | None = None,
    owner: str | None = None,
    compute: Compute = in_thread,
) -> SkewReport:
    """The skew of what a domain learned; `since` is by default the limits' period before `until`.

    See `gather_skew`. Raises StoreUnavailable.
    """
    stores = SkewStores(
        runtime.registry,
        runtime.outbox,
        runtime.interactions,
        runtime.nights,
        runtime.annotations,
        runtime.embedder,
    )
    since = until - skew_limits().period if since is None else since
    return await gather_skew(
        domain, stores, since=since, until=until, access=access, owner=owner, compute=compute
    )
