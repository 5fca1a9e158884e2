"""`nightschool skew` prints a line for each aspect, and what is out of bounds."""

import json
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from tests.support.commands import run, stub

pytestmark = pytest.mark.slow

SOURCES: dict[str, Any] = {
    "aspect": "sources",
    "learned": 90,
    "asked": 0,
    "effective": 1.25,
    "effective_asked": 0.0,
    "divergence": None,
    "chance": None,
    "categories": [{"name": "pumps.md", "learned": 0.9, "asked": 0.0}],
    "alarms": ["sources: pumps.md gives 90% of what was learned: ingest more"],
}


def routes(alarms: list[str], seen: list[dict[str, str]]) -> list[Route]:
    def skew(request: Request) -> JSONResponse:
        seen.append(dict(request.query_params))
        period = {"since": "2026-03-01T00:00:00Z", "until": "2026-03-02T00:00:00Z"}
        return JSONResponse({"domain": "pumps", **period, "aspects": [{**SOURCES, "alarms": alarms}]})

    return [Route("/v1/skew", skew)]


def test_aspects_are_lines_and_alarms_are_sentences() -> None:
    seen: list[dict[str, str]] = []
    with stub(routes(SOURCES["alarms"], seen)) as port:
        said = run("skew", "--domain", "pumps", "--since", "2026-03-01", port=port)
    assert said.returncode == 0, said.stderr
    assert "pumps.md 90% of 0%" in said.stdout
    assert "- sources: pumps.md gives 90% of what was learned: ingest more" in said.stdout
    assert seen == [{"domain": "pumps", "since": "2026-03-01"}]


def test_without_alarms_it_says_so_and_json_is_the_report() -> None:
    with stub(routes([], seen := [])) as port:
        assert "Nothing is out of bounds." in run("skew", port=port).stdout
        (report,) = run("skew", "--json", port=port).stdout.splitlines()
    assert json.loads(report)["aspects"] == [{**SOURCES, "alarms": []}]
    assert seen[0] == {}
