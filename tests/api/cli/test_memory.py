"""Forgetting is confirmed, says what it did, and names the adapters that still know."""

import json

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.support.commands import run, stub

TAUGHT = {
    "adapter": "rust-3-abc",
    "domain": "rust",
    "digest": "d" * 64,
    "command": "nightschool adapters forget rust dddddddddddd",
}


def test_forgetting_says_what_went_and_which_adapters_were_taught_from_it() -> None:
    asked: list[dict[str, str]] = []

    def forgetting(request: Request) -> Response:
        asked.append(dict(request.query_params))
        return JSONResponse({"counts": {"turns": 2, "passages": 1}, "taught": [TAUGHT]})

    with stub([Route("/v1/memory", forgetting, methods=["DELETE"])]) as port:
        said = run("memory", "forget", "--user", "ann", "--yes", port=port)
    assert asked == [{"user": "ann"}]
    assert said.stdout.splitlines() == [
        "Forgotten: turns: 2, passages: 1.",
        f"rust-3-abc was taught from it: {TAUGHT['command']}",
    ]


def test_forgetting_a_document_that_is_not_there_says_so() -> None:
    nothing = {"counts": {}, "taught": []}
    with stub([Route("/v1/memory", lambda _: JSONResponse(nothing), methods=["DELETE"])]) as port:
        said = run("memory", "forget", "--source", "x.md", "--yes", port=port)
    assert said.stdout == "Nothing was left to forget: no document is named 'x.md'; the files were purged.\n"


def test_without_a_terminal_it_has_to_be_confirmed_by_a_flag() -> None:
    with stub([]) as port:
        said = run("memory", "forget", "--user", "ann", port=port)
        both = run("memory", "forget", "--user", "ann", "--id", "i1", "--yes", port=port)
    assert said.returncode == 2
    assert "--yes" in said.stderr
    assert both.returncode == 2


def test_searching_shows_the_passages_and_why_they_were_found() -> None:
    asked: list[object] = []
    hit = {
        "source": "films/orchard.md",
        "text": "The Amber Orchard is a film.",
        "score": 0.8,
        "scores": {"meaning": 0.7, "named": 0.5},
        "path": "question - amber orchard - The Amber Orchard",
    }

    async def searching(request: Request) -> Response:
        asked.append(await request.json())
        facts = [{"sentence": "Ann Quist directed it.", "source": "films/ann.md"}]
        found = {"hits": [hit], "facts": facts} if len(asked) < 3 else {"hits": [], "facts": []}
        return JSONResponse({"query": ""} | found)

    with stub([Route("/v1/search", searching, methods=["POST"])]) as port:
        said = run("memory", "search", "Who made it?", "--limit", "3", port=port)
        as_json = run("memory", "search", "Who made it?", "--json", port=port)
        nothing = run("memory", "search", "Who made it?", "--domain", "films", port=port)
    assert asked[0] == {"query": "Who made it?", "limit": 3, "domain": None, "as_of": None}
    shown = " ".join(said.stdout.split())
    assert "films/orchard.md" in shown
    assert "meaning 0.70" in shown
    assert shown.endswith("Ann Quist directed it. [films/ann.md]")
    assert json.loads(as_json.stdout) == hit
    assert nothing.stdout.strip() == "Nothing was found."


def test_conflicts_show_both_sentences_and_which_one_is_current() -> None:
    def fact(year: int, source: str) -> dict[str, str]:
        return {"subject": "the kettle", "sentence": f"It was built in {year}.", "source": source}

    listed = {
        "total": 1,
        "views": 0,
        "complete": False,
        "conflicts": [
            {"kind": "date", "reason": "newer", "current": fact(1971, "b.md"), "other": fact(1962, "a.md")}
        ],
    }

    def conflicts(request: Request) -> Response:
        return JSONResponse(listed)

    with stub([Route("/v1/memory/conflicts", conflicts)]) as port:
        said = run("memory", "conflicts", port=port)
    assert said.stdout.splitlines() == [
        "the kettle (date; current: newer)",
        "  current  It was built in 1971. [b.md]",
        "  other    It was built in 1962. [a.md]",
        "1 conflict, 0 views among them; `nightschool memory withdraw` takes out what is wrong.",
        "Not all facts were compared, there are too many: give a --domain.",
    ]


def test_stale_facts_show_where_and_when_they_were_read() -> None:
    facts = [
        {
            "sentence": "Ann is the mayor.",
            "source": "a.md",
            "observed_at": "2025-01-02T00:00:00Z",
            "dated": None,
            "valid_until": None,
        },
        {
            "sentence": "Bo is the reeve.",
            "source": "c.md",
            "observed_at": "2025-01-02T00:00:00Z",
            "dated": "2021-03-04T00:00:00Z",
            "valid_until": None,
        },
        {
            "sentence": "It will open.",
            "source": "b.md",
            "observed_at": None,
            "dated": None,
            "valid_until": "2025-03-04T00:00:00Z",
        },
    ]

    def stale(request: Request) -> Response:
        return JSONResponse({"total": 3, "facts": facts, "complete": True})

    with stub([Route("/v1/memory/stale", stale)]) as port:
        said = run("memory", "stale", port=port)
    assert said.stdout.splitlines() == [
        "Ann is the mayor. [a.md, read on 2025-01-02]",
        "Bo is the reeve. [c.md, dated 2021-03-04]",
        "It will open. [b.md, until 2025-03-04]",
        "3 facts to look up again; ingest newer documents in place of these.",
    ]


def test_names_of_one_thing_are_listed_with_those_that_may_be() -> None:
    listed = {
        "complete": True,
        "same": [
            {
                "domain": "general",
                "names": ["Deep Harbour Survey", "DHS"],
                "because": [{"source": "b.md"}, {"source": "a.md"}],
            }
        ],
        "apart": [{"domain": "general", "names": ["Windows", "window"], "because": {"source": "names.csv"}}],
        "alike": [{"domain": "general", "first": "Kelvyn Corp", "second": "Kelvyn Corps", "similarity": 0.7}],
    }
    with stub([Route("/v1/memory/names", lambda _: JSONResponse(listed))]) as port:
        said = run("memory", "names", port=port)
    assert said.stdout.splitlines() == [
        "Deep Harbour Survey = DHS  [a.md, b.md]",
        "Windows != window  [names.csv]",
        "Kelvyn Corp ? Kelvyn Corps  (spelled alike: 0.70)",
        "To decide, ingest a triple: `A,is the same as,B` or `A,is not the same as,B`, such as"
        " `Windows,is not the same as,window`.",
    ]
