"""A remote judge is asked over the OpenAI wire format, and its mark is a share or refused."""

from collections.abc import AsyncIterator, Iterator
from http.server import ThreadingHTTPServer
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from agent.errors import TeacherError
from agent.learning.teachers.judge import PASSAGES_PER_CALL, ModelJudge
from tests.support.facts import fact, findings, passage, rust
from tests.support.stub import JsonHandler, serving

HOME, FACTS = rust()


class Stub(ThreadingHTTPServer):
    """An OpenAI-compatible server whose answer is given."""

    status = 200
    text = '{"faithfulness": 0.25, "reason": "one fact is not there"}'
    asked: list[dict[str, Any]]


class Handler(JsonHandler):
    server: Stub

    def do_POST(self) -> None:  # noqa: N802  # the name that http.server calls
        self.server.asked.append(self.received())
        message = {"role": "assistant", "content": self.server.text}
        answer = {
            "id": "x",
            "object": "chat.completion",
            "created": 0,
            "model": "big",
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        }
        self.reply(self.server.status, answer)


@pytest.fixture
def stub() -> Iterator[Stub]:
    server = Stub(("127.0.0.1", 0), Handler)
    server.asked = []
    with serving(server):
        yield server


@pytest.fixture
async def judge(stub: Stub) -> AsyncIterator[ModelJudge]:
    async with httpx.AsyncClient() as client:
        url = f"http://127.0.0.1:{stub.server_address[1]}/v1"
        yield ModelJudge(url, "big", key=SecretStr("none"), timeout=5.0, client=client)


async def test_a_judgement_is_a_share_with_its_reason(judge: ModelJudge) -> None:
    found = findings(*FACTS, passages=(HOME,))
    assert await judge.judge("What is a move?", found) == (0.25, "one fact is not there")


async def test_only_facts_of_the_passages_that_are_shown_are_judged(stub: Stub, judge: ModelJudge) -> None:
    other = passage("A move is a step in a board game.", source="chess.md")
    unseen = fact("move", "definition", "a step in a board game", other.text, within=other)
    fillers = [passage(f"Rain falls on day {n}.", source=f"{n}.md") for n in range(PASSAGES_PER_CALL - 1)]
    await judge.judge("What is a move?", findings(*FACTS, unseen, passages=(HOME, *fillers, other)))
    (body,) = stub.asked
    assert FACTS[0].object in body["messages"][-1]["content"]
    assert unseen.object not in body["messages"][-1]["content"]


async def test_without_a_fact_in_sight_nobody_is_asked(stub: Stub, judge: ModelJudge) -> None:
    assert (await judge.judge("What is a move?", findings(passages=(HOME,))))[0] == 1.0
    assert stub.asked == []


@pytest.mark.parametrize(
    "nonsense", ["fine by me", '{"faithfulness": 7, "reason": "very"}', '{"a":' * 5000 + "}"]
)
async def test_a_judgement_that_is_no_share_is_refused(stub: Stub, judge: ModelJudge, nonsense: str) -> None:
    stub.text = nonsense
    with pytest.raises(TeacherError):
        await judge.judge("What is a move?", findings(*FACTS, passages=(HOME,)))


async def test_a_judge_that_refuses_says_which_setting_to_check(stub: Stub, judge: ModelJudge) -> None:
    stub.status = 400
    with pytest.raises(TeacherError, match="NIGHTSCHOOL_TEACHER_URL"):
        await judge.judge("What is a move?", findings(*FACTS, passages=(HOME,)))
