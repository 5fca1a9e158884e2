"""The whole week from the command line, on the tiny model: chat, feedback, sample, judge, train, try."""

import json
from typing import Any

import pytest

from tests.support.stack import Stack

pytestmark = [pytest.mark.services, pytest.mark.timeout(900)]

USERS = 12
QUESTIONS = ("What is a library?", "What is a road?", "Tell me about rivers.", "Hello, how are you?")


def rows(service: Stack, *command: str) -> list[dict[str, Any]]:
    """What a command prints with --json."""
    done = service.run(*command, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def say(service: Stack, user: int, question: str) -> dict[str, Any]:
    """A turn of a user, who wants an answer in any case."""
    body = {
        "model": "auto",
        "user": f"user-{user}",
        "messages": [{"role": "user", "content": question}],
        "max_tokens": 24,
        "nightschool": {"unsure": "answer"},
    }
    reply: dict[str, Any] = service.client.post("/v1/chat/completions", body)
    return reply


def shorter(item: dict[str, Any]) -> str:
    return "a" if len(item["a"]) < len(item["b"]) else "b"


def state(service: Stack, step: str) -> dict[str, Any]:
    """The step as `nightschool week` shows it."""
    return next(each for each in rows(service, "week") if each["step"] == step)


def test_a_week_goes_from_feedback_to_an_experiment(service: Stack) -> None:
    for user in range(USERS):
        for question in QUESTIONS:
            reply = say(service, user, f"{question} Number {user}, please.")
            given = {"interaction_id": reply["id"], "rating": 1 + user % 5, "copied": user % 2 == 0}
            service.client.post("/v1/feedback", given)
    assert state(service, "sample")["due"]

    (drawn,) = rows(service, "annotate", "sample", "--batch", "first", "--count", "16")
    assert drawn["items"] > 5, drawn
    assert state(service, "annotate")["due"]
    (first,) = rows(service, "annotate", "next")
    assert service.run("annotate", "judge", first["item_id"], "--choice", shorter(first)).returncode == 0
    while (item := service.client.get("/v1/annotation/next")) is not None:
        service.client.post(f"/v1/annotation/items/{item['item_id']}/judgement", {"choice": shorter(item)})
    assert state(service, "build")["due"]

    (built,) = rows(service, "preferences", "build", "general", "--minimum", "4")
    assert state(service, "train")["due"]
    service.run("preferences", "train", built["digest"], "--follow")
    trained = service.client.get(f"/v1/preferences/{built['digest']}/training")
    assert trained["result"]["status"] in ("candidate", "rejected"), trained
    adapter = service.client.get(f"/v1/adapters/{trained['result']['adapter']}")
    assert adapter["preferences"] == [built["digest"]]
    assert adapter["verdict"]["checks"]

    (started,) = rows(
        service, "ab", "start", "general", "--prompt", "brief=Answer briefly.", "--minimum", "4"
    )
    assert state(service, "ab")["command"] == f"nightschool ab status {started['id']}"
    for user in range(USERS):
        say(service, user, "What is a bridge?")
    (report,) = rows(service, "ab", "status", started["id"])
    assert report["units"] + report["held_out"] == USERS
    assert len({variant["variant"] for variant in report["variants"] if variant["units"]}) == 2
    assert service.run("ab", "stop", started["id"], "--reason", "the test is over").returncode == 0
    (stopped,) = rows(service, "ab", "status", started["id"])
    assert stopped["experiment"]["status"] == "stopped"
