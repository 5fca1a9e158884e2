"""A caller's mistake is told to the caller; a fault of ours is logged, and its details stay in the log."""

import httpx
import pytest
from fastapi import FastAPI

from api import errors
from memory.records.base import Interval


def fail(kind: str) -> None:
    """Fails as our code may."""
    match kind:
        case "caller":
            raise ValueError("ask for less")
        case "record":
            Interval(lower=2.0, upper=1.0)
        case "text":
            "\ud800".encode()
        case _:
            raise KeyError(kind)


@pytest.mark.parametrize(
    ("kind", "status", "code", "logged"),
    [
        ("caller", 400, "invalid_value", False),
        ("record", 500, "internal_error", True),
        ("text", 500, "internal_error", True),
        ("other", 500, "internal_error", True),
    ],
)
async def test_only_what_a_caller_did_wrong_is_a_400(
    kind: str, status: int, code: str, logged: bool, caplog: pytest.LogCaptureFixture
) -> None:
    app = FastAPI()
    errors.add_handlers(app)
    app.add_api_route("/{kind}", fail)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        reply = await client.get(f"/{kind}")
    assert (reply.status_code, reply.json()["error"]["code"]) == (status, code)
    assert any(record.name == "api.errors" and record.exc_info for record in caplog.records) == logged
