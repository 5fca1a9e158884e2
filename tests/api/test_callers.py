"""Callers: their names come from their keys."""

from types import SimpleNamespace
from typing import Any

from starlette.datastructures import Headers

from api.auth import identify
from api.callers import Caller
from graphs.state import Runtime
from memory.server.keys import LOCAL_OPERATOR, ApiKeys


async def caller(keys: ApiKeys, text: str | None) -> Caller:
    service: Any = SimpleNamespace(keys=keys)
    return await identify(service, Headers({"x-api-key": text} if text else {}))


async def test_a_caller_has_the_name_of_its_keys_owner(runtime: Runtime) -> None:
    keys = ApiKeys(runtime.database)
    assert (await caller(keys, None)).name == LOCAL_OPERATOR
    assert (await caller(keys, None)).is_local
    _, ada = await keys.create("ada", "learn")
    _, root = await keys.create("root", "admin")
    keys = ApiKeys(runtime.database)
    for text, name, owner in ((ada, "ada", "ada"), (root, "root", None)):
        found = await caller(keys, text)
        assert (found.name, found.owner, found.is_local) == (name, owner, False)
