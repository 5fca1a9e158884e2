"""A page of another site, open in a browser beside the service, can change nothing in it."""

import httpx
import pytest

from tests.api.conftest import Serve


async def send(client: httpx.AsyncClient, **headers: str) -> tuple[int, str]:
    """Posts plain text, which browsers do for any page; returns the status and the error's code."""
    reply = await client.post(
        "/v1/documents",
        params={"source": "lamps.md"},
        content=b"A zorble is a small lamp.",
        headers={"Content-Type": "text/plain", **headers},
    )
    return reply.status_code, reply.json().get("error", {}).get("code", "")


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://localhost:3000", "http://localhost.evil.example", ""]
)
async def test_a_page_of_another_site_cannot_post(client: httpx.AsyncClient, origin: str) -> None:
    assert await send(client, origin=origin) == (403, "foreign_origin")
    sources = (await client.get("/v1/documents", headers={"origin": origin})).json()["sources"]
    assert "lamps.md" not in sources


async def test_our_own_pages_and_other_programs_can(client: httpx.AsyncClient) -> None:
    assert (await send(client, origin="http://localhost"))[0] == 200
    assert (await send(client, host="127.0.0.1:8000", origin="https://127.0.0.1:8000"))[0] == 200
    assert (await send(client))[0] == 200


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "evil.example:8000", "[::1", ""])
async def test_a_foreign_name_that_was_pointed_at_us_is_refused(client: httpx.AsyncClient, host: str) -> None:
    assert await send(client, host=host) == (403, "foreign_host")
    assert (await client.get("/v1/models", headers={"host": host})).status_code == 403


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8000", "[::1]:8000", "LocalHost:8000"])
async def test_this_machine_has_its_names(client: httpx.AsyncClient, host: str) -> None:
    assert (await client.get("/healthz", headers={"host": host})).status_code == 200


@pytest.mark.parametrize(
    ("listening", "status"), [("school.example", 200), ("0.0.0.0", 200), ("10.0.0.7", 403)]
)
async def test_the_name_it_listens_on_is_its_own(serve: Serve, listening: str, status: int) -> None:
    async with serve(api_host=listening) as client:
        reply = await client.get("/healthz", headers={"host": "school.example:8000"})
        assert reply.status_code == status


@pytest.mark.parametrize(
    "host",
    ["host.docker.internal:8000", "School.example", "192.168.1.20:8000", "localhost", "127.0.0.1:8000"],
)
@pytest.mark.parametrize("listening", ["127.0.0.1", "0.0.0.0"])
async def test_trusted_hosts_may_be_asked_beside_the_machines_own_names(
    serve: Serve, listening: str, host: str
) -> None:
    trusted = "host.docker.internal, school.example,192.168.1.20"
    async with serve(api_host=listening, trusted_hosts=trusted) as client:
        assert (await client.get("/healthz", headers={"host": host})).status_code == 200
        foreign = await client.get("/healthz", headers={"host": "evil.example"})
        assert foreign.status_code == 403


async def test_a_refused_host_is_told_the_setting_that_would_allow_it(client: httpx.AsyncClient) -> None:
    reply = await client.get("/healthz", headers={"host": "host.docker.internal:8000"})
    assert reply.status_code == 403
    assert "NIGHTSCHOOL_TRUSTED_HOSTS" in reply.json()["error"]["message"]


async def test_pages_that_are_allowed_can_use_the_api_and_read_where_a_run_is(serve: Serve) -> None:
    page = "http://localhost:3000"
    async with serve(allowed_origins=f"{page}, https://chat.example") as client:
        assert (await send(client, origin=page))[0] == 200
        assert await send(client, origin="http://localhost:3001") == (403, "foreign_origin")
        info = await client.get("/info", headers={"origin": page})
        assert info.headers["access-control-allow-origin"] == page
        assert "Content-Location" in info.headers["access-control-expose-headers"]
        asked = {"origin": page, "access-control-request-method": "POST"}
        assert (await client.options("/threads", headers=asked)).status_code == 200
    async with serve() as client:
        assert (
            "access-control-allow-origin" not in (await client.get("/info", headers={"origin": page})).headers
        )
