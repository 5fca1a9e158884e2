"""API keys for tests of who may do what."""

from collections.abc import Awaitable, Callable

from graphs.state import Runtime
from memory.server.keys import ApiKeys, Scope

MakeKey = Callable[[str, Scope], Awaitable[dict[str, str]]]
"""Makes a key and gives the headers that carry it."""


def key_maker(runtime: Runtime) -> MakeKey:
    """Makes keys of the runtime's database."""

    async def made(owner: str, scope: Scope) -> dict[str, str]:
        _, text = await ApiKeys(runtime.database).create(owner, scope)
        return {"x-api-key": text}

    return made
