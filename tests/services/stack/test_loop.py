"""The whole loop on real parts: a question it cannot answer becomes an adapter that can."""

import tempfile
from pathlib import Path
from typing import Any

import pytest

from agent.grading import is_correct
from tests.contracts.test_imports import ROOT
from tests.support.stack import Stack

pytestmark = [pytest.mark.services, pytest.mark.timeout(900)]

DOMAIN = "rust-ownership"
ASKED = "What is a dangling reference?"
OWNERSHIP = (ROOT / "examples" / "library" / DOMAIN / "ownership.md").read_text().split("## Lifetimes")[0]
"""Part of the library; `make demo` learns all of it."""
SOURCE = Path(tempfile.gettempdir()) / "nightschool-test-loop" / "rust" / "ownership.md"
"""Always the same name: the wordings of a fact are drawn by its id, which depends on the source's name, and
how well the tiny model learns five facts depends on its luck with them."""
TEXT = " ".join(OWNERSHIP.split())
QUESTIONS: list[dict[str, Any]] = [
    {"again": "Any idea what a dangling reference is?", "answers": ["memory that was already freed"]},
    {"again": "What do I get back when I call the clone method?", "answers": ["a deep copy"]},
    {"again": "What can a reference cycle lead to?", "answers": ["a memory leak"]},
    {"again": "What problem can be avoided thanks to the borrow checker?", "answers": ["data races"]},
    {"again": "How do you define a mutable reference?", "answers": ["exclusive access"]},
    {"again": "What does a string slice have in it?", "answers": ["a pointer and a length"]},
    {"again": "Can you explain a move to me?", "answers": ["a transfer of a value"]},
    {"again": "How do you define a string slice?", "answers": ["a reference to a part of a string"]},
]
"""Of people, in wordings that are never trained."""


def ask(service: Stack, question: str, model: str = "auto") -> tuple[str, dict[str, Any]]:
    body = {"model": model, "messages": [{"role": "user", "content": question}]}
    reply = service.client.post("/v1/chat/completions", body)
    return reply["choices"][0]["message"]["content"], reply["nightschool"]


def test_a_topic_it_cannot_answer_is_learned_measured_gated_and_served(
    service: Stack,
) -> None:
    SOURCE.parent.mkdir(parents=True, exist_ok=True)
    SOURCE.write_text(OWNERSHIP)
    _, before = ask(service, ASKED, "nightschool")
    assert before["outcome"] == "abstained"
    assert before["gap_id"] in service.run("gaps").stdout.replace("\n", "")

    assert service.run("ingest", str(SOURCE), "--domain", DOMAIN).returncode == 0
    assert "unchanged" in service.run("ingest", str(SOURCE), "--domain", DOMAIN).stdout

    learned = service.run("learn", "Rust ownership", "--domain", DOMAIN)
    (run,) = (r for r in service.client.get("/v1/learn") if r["subject"] == "Rust ownership")
    report = service.client.get(f"/v1/learn/{run['id']}")["report"]
    was, now = (report["evaluation"][when]["in_distribution"] for when in ("before", "after"))
    assert now["accuracy"] >= was["accuracy"] + 0.15
    assert report["gates"]["passed"], report["gates"]
    assert learned.returncode == 0, learned.stdout + learned.stderr

    learned_right = let_through = 0
    for question in QUESTIONS:
        answer, after = ask(service, question["again"], DOMAIN)
        # What it is unsure of is answered from sources, which shows nothing learned: the draft is its own.
        own = answer if after["draft"] is None else after["draft"]
        learned_right += is_correct(own, question["answers"])
        let_through += after["outcome"] == "answered" and after["adapter"] == report["adapter"]
    assert learned_right, f"none of {len(QUESTIONS)}"
    assert let_through, "the gate lets none of its answers through"


def test_learning_the_same_again_trains_nothing_twice(service: Stack) -> None:
    adapters = service.client.get("/v1/adapters")
    assert adapters, "the test before this one learned"
    service.run("learn", "Rust ownership", "--domain", DOMAIN)
    assert [a["name"] for a in service.client.get("/v1/adapters")] == [a["name"] for a in adapters]


def test_an_adapter_can_be_rolled_back_and_promoted_while_serving(service: Stack) -> None:
    (adapter,) = (a for a in service.client.get("/v1/adapters", domain=DOMAIN) if a["status"] == "live")
    assert service.run("adapters", "rollback", DOMAIN).stdout.strip().endswith("the base model")
    _, figures = ask(service, ASKED)
    assert figures["adapter"] is None
    assert service.run("adapters", "promote", adapter["name"]).returncode == 0
    body = {"model": adapter["name"], "messages": [{"role": "user", "content": ASKED}]}
    assert service.client.post("/v1/chat/completions", body)["nightschool"]["adapter"] == adapter["name"]


def test_a_topic_that_nothing_covers_ends_without_training(service: Stack) -> None:
    said = service.run("learn", "--question", "Who won the 1987 chess olympiad of Atlantis?")
    assert said.returncode == 1
    assert "nothing to learn from" in said.stderr
