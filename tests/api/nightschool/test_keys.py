"""Keys are listed to admins alone, without their secrets, and made by no request."""

import httpx

from graphs.state import Runtime
from memory.server.keys import SCOPES, ApiKeys
from tests.api.conftest import Serve

PATH = "/v1/keys"


async def test_only_admins_list_keys_and_see_no_secret(serve: Serve, runtime: Runtime) -> None:
    keys = ApiKeys(runtime.database)
    made = {scope: await keys.create("ann", scope) for scope in SCOPES}
    await keys.revoke(made["chat"][0].id)
    async with serve(runtime) as client:
        replies = {
            scope: await client.get(PATH, headers={"x-api-key": text}) for scope, (_, text) in made.items()
        }
    statuses = {scope: reply.status_code for scope, reply in replies.items()}
    assert statuses == {
        scope: 200 if scope == "admin" else 401 if scope == "chat" else 403 for scope in SCOPES
    }
    listed = replies["admin"].json()
    assert [(each["owner"], each["scope"]) for each in listed] == [("ann", scope) for scope in SCOPES]
    assert [each["scope"] for each in listed if each["revoked_at"]] == ["chat"]
    assert set(listed[0]) == {"id", "owner", "scope", "created_at", "revoked_at"}
    assert not any(text in replies["admin"].text for _, text in made.values())


async def test_no_request_makes_or_revokes_a_key(client: httpx.AsyncClient) -> None:
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert (
            await client.request(method, PATH, json={"owner": "eve", "scope": "admin"})
        ).status_code == 405
    assert (await client.get(PATH)).json() == []
