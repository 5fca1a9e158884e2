"""The console reads lists whole, and says of stale facts what the commands say."""

import re
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("gradio", reason="the extra `console` is not installed")

from agent.settings import Settings
from api.app import create_app
from api.console.facts import to_look_up

PAGES = Path(__file__).parents[3] / "api"


def paged_lists() -> set[str]:
    """The routes whose reply is a list that comes in pages of at most 1,000."""
    found = set()
    for path, methods in create_app(Settings()).openapi()["paths"].items():
        query = {each["name"] for each in methods.get("get", {}).get("parameters", ())}
        if {"after", "limit"} <= query:
            found.add(path)
    return found


@pytest.mark.parametrize("folder", ["console", "cli"])
def test_a_list_that_comes_in_pages_is_read_to_its_end(folder: str) -> None:
    paged = paged_lists()
    assert {"/v1/adapters", "/v1/preferences", "/v1/memory/withdrawn"} <= paged
    for page in sorted((PAGES / folder).glob("*.py")):
        first_pages = re.findall(r'\.get\("(/[^"]+)"(?:, domain=[^,)]+)?\)', page.read_text(encoding="utf-8"))
        assert not paged & set(first_pages), page.name


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({"dated": "2021-03-04T00:00:00Z"}, "dated 2021-03-04"),
        ({}, "read on 2024-05-06"),
        ({"dated": "2999-03-04T00:00:00Z"}, "read on 2024-05-06"),
        ({"valid_until": "2024-06-01T00:00:00Z", "dated": "2021-03-04T00:00:00Z"}, "until 2024-06-01"),
    ],
)
def test_a_stale_fact_is_labelled_by_its_date(changes: dict[str, Any], shown: str) -> None:
    fact = {"subject": "Bo", "sentence": "Bo is the reeve.", "source": "c.md", "dated": None}
    fact |= {"observed_at": "2024-05-06T00:00:00Z", "valid_until": None, **changes}
    assert f"<td>{shown}</td>" in to_look_up({"total": 1, "complete": True, "facts": [fact]})
