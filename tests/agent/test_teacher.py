"""A remote teacher is asked over the OpenAI wire format, and never believed on its word."""

import json
from collections.abc import AsyncIterator, Callable, Iterator
from http.server import ThreadingHTTPServer
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from agent.errors import TeacherError
from agent.teacher import PAIRS_PER_CALL, PASSAGES_PER_CALL, Teacher
from agent.verify import verify
from tests.facts import fact, findings, passage, rust
from tests.stub import JsonHandler, serving

HOME, FACTS = rust()
Replies = Callable[[list[dict[str, str]]], tuple[int, str]]


class Stub(ThreadingHTTPServer):
    """A real OpenAI-compatible server whose answers are given."""

    say: Replies
    asked: list[dict[str, Any]]


class Handler(JsonHandler):
    server: Stub

    def do_POST(self) -> None:  # noqa: N802  # the name that http.server calls
        body = self.received()
        self.server.asked.append(body)
        status, text = self.server.say(body["messages"])
        message = {"role": "assistant", "content": text}
        answer = {
            "id": "x",
            "object": "chat.completion",
            "created": 0,
            "model": "big",
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
        }
        self.reply(status, answer if status == 200 else {"error": {"message": text}})


@pytest.fixture
def stub() -> Iterator[Stub]:
    server = Stub(("127.0.0.1", 0), Handler)
    server.asked = []
    with serving(server):
        yield server


@pytest.fixture
async def teacher(stub: Stub) -> AsyncIterator[Teacher]:
    async with httpx.AsyncClient() as client:
        url = f"http://127.0.0.1:{stub.server_address[1]}/v1"
        yield Teacher(url, "big", key=SecretStr("none"), timeout=5.0, client=client)


def written(**change: object) -> str:
    pair = {
        "fact": 1,
        "form": "definition",
        "question": "In Rust, what is a move?",
        "answer": "a transfer of a value to a new owner",
    }
    return json.dumps({"pairs": [pair | change]})


async def test_pairs_come_back_tied_to_their_facts(stub: Stub, teacher: Teacher) -> None:
    stub.say = lambda messages: (200, f"Sure!\n```json\n{written()}\n```")
    pairs = await teacher.write(FACTS[:2], per_fact=1)
    assert [(p.fact_id, p.quote) for p in pairs] == [(FACTS[0].id, FACTS[0].sentence)]
    assert verify(pairs, FACTS, {HOME.id: HOME}).kept == pairs
    assert stub.asked[0]["model"] == "big"
    assert FACTS[0].sentence in stub.asked[0]["messages"][-1]["content"]


async def test_many_facts_are_asked_about_in_groups(stub: Stub, teacher: Teacher) -> None:
    stub.say = lambda messages: (200, written())
    await teacher.write([*FACTS, *FACTS], per_fact=1)
    assert len(stub.asked) == 2


async def test_many_pairs_for_each_fact_are_asked_for_in_smaller_groups(stub: Stub, teacher: Teacher) -> None:
    stub.say = lambda messages: (200, written())
    await teacher.write(FACTS[:4], per_fact=PAIRS_PER_CALL // 2)
    await teacher.write(FACTS[:1], per_fact=2 * PAIRS_PER_CALL)
    assert len(stub.asked) == 3


async def test_what_the_teacher_invents_is_dropped_by_verification(stub: Stub, teacher: Teacher) -> None:
    stub.say = lambda messages: (200, written(answer="a step in a dance"))
    pairs = await teacher.write(FACTS[:1], per_fact=1)
    assert verify(pairs, FACTS, {HOME.id: HOME}).dropped == {"the answer is not the fact's": 1}


@pytest.mark.parametrize(
    "nonsense",
    [
        "I cannot help with that.",
        "{",
        '{"pairs": 3}',
        written(fact=9),
        written(form="haiku"),
        '{"a":' * 5000 + "}",
    ],
)
async def test_nonsense_is_refused(stub: Stub, teacher: Teacher, nonsense: str) -> None:
    stub.say = lambda messages: (200, nonsense)
    with pytest.raises(TeacherError):
        await teacher.write(FACTS[:1], per_fact=1)


async def test_a_teacher_that_is_away_says_which_setting_to_check(stub: Stub, teacher: Teacher) -> None:
    stub.say = lambda messages: (400, "no such model")
    with pytest.raises(TeacherError, match="NIGHTSCHOOL_TEACHER_URL"):
        await teacher.write(FACTS[:1], per_fact=1)


async def test_a_judgement_is_a_share_with_its_reason(stub: Stub, teacher: Teacher) -> None:
    stub.say = lambda messages: (200, '{"faithfulness": 0.25, "reason": "one fact is not there"}')
    found = findings(*FACTS, passages=(HOME,))
    assert await teacher.judge("What is a move?", found) == (0.25, "one fact is not there")


async def test_only_facts_of_the_passages_that_are_shown_are_judged(stub: Stub, teacher: Teacher) -> None:
    stub.say = lambda messages: (200, '{"faithfulness": 1.0, "reason": "fine"}')
    other = passage("A move is a step in a board game.", source="chess.md")
    unseen = fact("move", "definition", "a step in a board game", other.text, within=other)
    fillers = [passage(f"Rain falls on day {n}.", source=f"{n}.md") for n in range(PASSAGES_PER_CALL - 1)]
    found = findings(*FACTS, unseen, passages=(HOME, *fillers, other))
    await teacher.judge("What is a move?", found)
    (body,) = stub.asked
    assert FACTS[0].object in body["messages"][-1]["content"]
    assert unseen.object not in body["messages"][-1]["content"]
    nothing = findings(unseen, passages=(HOME, *fillers, other))
    assert (await teacher.judge("What is a move?", nothing))[0] == 1.0
    assert len(stub.asked) == 1


async def test_a_judgement_out_of_range_is_refused(stub: Stub, teacher: Teacher) -> None:
    stub.say = lambda messages: (200, '{"faithfulness": 7, "reason": "very"}')
    with pytest.raises(TeacherError):
        await teacher.judge("What is a move?", findings(*FACTS, passages=(HOME,)))
