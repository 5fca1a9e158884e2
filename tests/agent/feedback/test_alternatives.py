"""An alternative is never the served answer, and annotators cannot tell which one was served."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from langchain_core.messages import BaseMessage
from pydantic import SecretStr

from agent.chat.routing import Routes
from agent.engines.scripted import Line, ScriptedEngine
from agent.errors import EngineUnavailable, PromptTooLong, TeacherError
from agent.feedback.alternatives import (
    Alternative,
    Answerer,
    TeacherAnswers,
    annotation_item,
    find_alternative,
    from_model,
    is_same_answer,
)
from agent.feedback.batches import make_batch
from agent.feedback.sampling import Sampled
from memory.adapters.volatile import VolatileAdapterRegistry
from memory.records.interactions import LoggedMessage
from tests.support.adapters import adapter, curriculum
from tests.support.cards import card
from tests.support.engines import VaryingEngine
from tests.support.interactions import interaction

NOW = datetime(2026, 3, 1, tzinfo=UTC)
SERVED = interaction("i1", question="Hi", answer="Hello there", messages=())


class Says:
    """Answers with these texts in turn, and keeps what it was asked."""

    def __init__(self, *texts: str) -> None:
        self.texts = list(texts)
        self.asked: list[tuple[list[tuple[str, str]], int]] = []

    async def __call__(self, messages: Sequence[BaseMessage], seed: int) -> str:
        self.asked.append(([(message.type, message.text) for message in messages], seed))
        return self.texts.pop(0)


async def test_an_answer_like_the_served_one_is_tried_again_with_another_seed() -> None:
    says = Says("hello  There", "", "Good day")
    found = await find_alternative(SERVED, "sampled", says, seed=7)
    assert found == Alternative(text="Good day", source="sampled")
    assert says.asked == [([("human", "Hi")], seed) for seed in (7, 8, 9)]


async def test_without_another_answer_there_is_no_alternative() -> None:
    assert await find_alternative(SERVED, "sampled", Says(*["Hello there"] * 4), seed=0) is None


async def test_the_whole_conversation_is_asked_again() -> None:
    messages = (
        LoggedMessage(role="system", content="Be brief."),
        LoggedMessage(role="user", content="Hi"),
    )
    says = Says("Yes")
    await find_alternative(SERVED.model_copy(update={"messages": messages}), "sampled", says, seed=0)
    assert says.asked == [([("system", "Be brief."), ("human", "Hi")], 0)]


def model(engine: ScriptedEngine, name: str | None = None, **options: Any) -> Answerer:
    registry = VolatileAdapterRegistry([adapter("rust")])
    routes = Routes(registry, lambda digest: curriculum())
    return from_model(name, engine=engine, routes=routes, card=card(), **options)


async def test_an_alternative_ends_at_the_limit_of_the_served_answer() -> None:
    engine = ScriptedEngine({"Hi": Line(text="one two three four five")})
    found = await find_alternative(SERVED, "sampled", model(engine, max_tokens=3), seed=3)
    assert found is not None
    assert found.text == "one two three"


async def test_sampled_answers_differ_by_seed_and_another_variant_first_answers_greedily() -> None:
    engine = VaryingEngine({"Hi": Line(text="Good day")})
    sampled = await find_alternative(SERVED, "sampled", model(engine), seed=3)
    assert sampled is not None
    assert sampled.text == "Good day 3"
    variant = await find_alternative(SERVED, "rust", model(engine, greedy_first=3), seed=3)
    assert variant is not None
    assert variant.text == "Good day"
    same = SERVED.model_copy(update={"answer": "Good day"})
    retried = await find_alternative(same, "rust", model(engine, greedy_first=3), seed=3)
    assert retried is not None
    assert retried.text == "Good day 4"


def test_sides_are_shuffled_by_the_seed() -> None:
    def item(n: int, seed: int) -> str:
        return annotation_item(
            SERVED.model_copy(update={"id": f"i{n}"}),
            Alternative(text="Good day", source="sampled"),
            id=f"item{n}",
            batch="monday",
            annotators=1,
            priority=3,
            seed=seed,
            now=NOW,
        ).a_source

    sides = [item(n, seed=1) for n in range(200)]
    assert 70 < sides.count("served") < 130
    assert sides == [item(n, seed=1) for n in range(200)]
    assert sides != [item(n, seed=2) for n in range(200)]


def test_answers_that_differ_in_spaces_and_case_are_the_same() -> None:
    assert is_same_answer(" Hello\nthere", "hello there")
    assert not is_same_answer("Hello there", "Hello there.")


def sampled(id: str, by: str = "priority") -> Sampled:
    return Sampled.model_validate(
        {"interaction": SERVED.model_copy(update={"id": id}), "priority": 5.0, "reasons": (), "by": by}
    )


async def batch(answerers: dict[str, Answerer]) -> tuple[list[tuple[str, float]], dict[str, int]]:
    made = await make_batch(
        [sampled("i0"), sampled("i1", "random"), sampled("i2")],
        "sampled",
        lambda each: answerers[each.id],
        name="monday",
        annotators=2,
        seed=0,
        new_id=iter(["n0", "n1", "n2"]).__next__,
        now=NOW,
    )
    return [(str(item.interaction_id), item.priority) for item in made.items], made.dropped


async def fails(messages: Sequence[BaseMessage], seed: int) -> str:
    raise PromptTooLong("too long")


async def unavailable(messages: Sequence[BaseMessage], seed: int) -> str:
    raise EngineUnavailable("gone")


async def test_a_batch_drops_and_counts_what_gets_no_alternative() -> None:
    found = await batch({"i0": Says("Yes"), "i1": Says("No"), "i2": Says(*["hello there"] * 4)})
    assert found == (
        [("i0", 5.0), ("i1", 0.0)],
        {"every alternative is equal to the served answer": 1},
    )
    _, dropped = await batch({"i0": Says("Yes"), "i1": fails, "i2": Says("No")})
    assert list(dropped) == ["its conversation does not fit into the context"]
    unknown = model(ScriptedEngine(), "rust-v9-0123abcd")
    _, dropped = await batch({"i0": Says("Yes"), "i1": unknown, "i2": Says("No")})
    assert list(dropped) == ["its adapter cannot be used"]
    with pytest.raises(EngineUnavailable):
        await batch({"i0": Says("Yes"), "i1": unavailable, "i2": Says("No")})


def teacher(handler: httpx.MockTransport) -> TeacherAnswers:
    client = httpx.AsyncClient(transport=handler)
    return TeacherAnswers("http://teacher/v1", "large", key=SecretStr("k"), timeout=5.0, client=client)


async def test_a_teacher_answers_the_conversation() -> None:
    bodies: list[bytes] = []

    def answer(request: httpx.Request) -> httpx.Response:
        bodies.append(request.content)
        choice = {
            "index": 0,
            "finish_reason": "stop",
            "message": {"role": "assistant", "content": "Good day"},
        }
        reply = {"id": "x", "object": "chat.completion", "created": 0, "model": "large", "choices": [choice]}
        return httpx.Response(200, json=reply)

    found = await find_alternative(SERVED, "teacher", teacher(httpx.MockTransport(answer)).answer, seed=5)
    assert found == Alternative(text="Good day", source="teacher")
    assert b'"seed":5' in bodies[0].replace(b" ", b"")


async def test_a_teacher_that_fails_is_named() -> None:
    broken = teacher(
        httpx.MockTransport(lambda request: httpx.Response(401, json={"error": {"message": "no"}}))
    )
    with pytest.raises(TeacherError, match="NIGHTSCHOOL_TEACHER_URL"):
        await find_alternative(SERVED, "teacher", broken.answer, seed=0)
