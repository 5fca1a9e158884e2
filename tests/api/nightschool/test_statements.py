"""What users stated is shown to admins only, and can be deleted for one of them."""

from collections.abc import AsyncIterator

import httpx
import pytest

from agent.feedback.pseudonyms import pseudonym
from agent.nights.statements.facts import statement_source
from graphs.state import Runtime
from memory.server.keys import ApiKeys
from tests.api.conftest import Serve
from tests.support.facts import fact
from tests.support.nights import statement

PATH = "/v1/statements"


@pytest.fixture
async def client(serve: Serve, runtime: Runtime) -> AsyncIterator[httpx.AsyncClient]:
    ann = pseudonym("ann", runtime.pseudonym_key)
    await runtime.nights.save_statements([statement("s1", unit=ann), statement("s2", unit="bob")])
    async with serve(runtime) as opened:
        yield opened


async def ids(client: httpx.AsyncClient, **query: str) -> list[str]:
    reply = await client.get(PATH, params=query)
    return sorted(each["id"] for each in reply.raise_for_status().json())


async def test_statements_are_listed_by_user_as_named_by_the_client_or_in_the_list(
    client: httpx.AsyncClient,
) -> None:
    assert await ids(client) == ["s1", "s2"]
    assert await ids(client, unit="ann") == ["s1"]
    assert await ids(client, unit="bob") == ["s2"]
    assert await ids(client, unit="nobody") == []
    assert await ids(client, status="stale") == []


async def test_what_one_user_stated_is_forgotten_with_its_facts(
    client: httpx.AsyncClient, runtime: Runtime
) -> None:
    ann = pseudonym("ann", runtime.pseudonym_key)
    said = fact("Ann", "moved to", "Bern", "Ann moved to Bern.").model_copy(
        update={"source": statement_source("s1"), "said_by": ann}
    )
    lost = said.model_copy(update={"id": "f2", "source": statement_source("s9")})  # of a broken-off step
    await runtime.semantic.add([said, lost])
    reply = await client.delete(PATH, params={"unit": "ann"})
    assert reply.json() == {"statements": 1}
    assert await ids(client) == ["s2"]
    assert await runtime.semantic.said(ann) == ()
    assert (await client.delete(PATH, params={"unit": "ann"})).json() == {"statements": 0}


async def test_statements_in_which_users_contradict_each_other_are_listed_until_one_is_forgotten(
    client: httpx.AsyncClient, runtime: Runtime
) -> None:
    due = {"subject": "The deadline of Apollo", "relation": "is"}
    stated = [
        statement(f"d{day}", unit=f"u{day}", text=f"The deadline of Apollo is {day} June.",
                  object=f"{day} June", **due)
        for day in (5, 7)
    ]  # fmt: skip
    await runtime.nights.save_statements([*stated, statement("d9", domain="cooking", object="9 June", **due)])
    (dispute,) = (await client.get(f"{PATH}/disputed")).raise_for_status().json()
    assert {each["id"] for each in dispute["statements"]} == {"d5", "d7"}
    assert (await client.get(f"{PATH}/disputed", params={"domain": "cooking"})).json() == []
    await client.delete(PATH, params={"unit": "u5"})
    assert (await client.get(f"{PATH}/disputed")).json() == []


async def test_a_deletion_needs_to_say_whose(client: httpx.AsyncClient) -> None:
    assert (await client.delete(PATH)).status_code == 422
    assert (await client.delete(PATH, params={"unit": ""})).status_code == 422
    assert await ids(client) == ["s1", "s2"]


async def test_only_admins_see_statements(client: httpx.AsyncClient, runtime: Runtime) -> None:
    _, key = await ApiKeys(runtime.database).create("ada", "learn")
    for method in ("GET", "DELETE"):
        reply = await client.request(method, PATH, params={"unit": "ann"}, headers={"x-api-key": key})
        assert reply.status_code == 403
