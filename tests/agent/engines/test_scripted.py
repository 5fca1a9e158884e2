"""The scripted engine says what its script says; the shared contract is in tests/conformance."""

from contextlib import aclosing
from pathlib import Path

import pytest
from langchain_core.messages import HumanMessage

from agent.engines.base import Sampling
from agent.engines.scripted import Line, ScriptedEngine
from agent.errors import AdapterRefused, EngineUnavailable
from agent.grading import admits_ignorance

RUST = "rust-v1-0123abcd"
QUESTION = [HumanMessage("What is a borrow?")]


async def test_it_answers_from_its_script_with_the_chosen_entropy() -> None:
    engine = ScriptedEngine({"What is a borrow?": Line(text="a loan", entropy=0.3)})
    reply = await engine.chat(QUESTION)
    assert reply.text == "a loan"
    assert [token.entropy.upper for token in reply.tokens] == [0.3, 0.3]


async def test_what_is_not_in_the_script_gets_the_default_which_abstains() -> None:
    assert admits_ignorance((await ScriptedEngine().chat(QUESTION)).text)


async def test_a_function_may_read_the_whole_conversation() -> None:
    engine = ScriptedEngine(lambda messages: Line(text=f"{len(messages)} messages"))
    assert (await engine.chat([*QUESTION, *QUESTION])).text == "2 messages"


@pytest.mark.parametrize("key", [RUST, "rust"])
async def test_an_adapter_overrides_the_base_by_its_name_or_its_domain(key: str) -> None:
    engine = ScriptedEngine(adapters={key: {"What is a borrow?": Line(text="a reference")}})
    await engine.load(RUST, Path("unused"))
    assert (await engine.chat(QUESTION, adapter=RUST)).text == "a reference"
    assert (await engine.chat(QUESTION)).text != "a reference"


async def test_an_adapter_without_a_script_loads_and_changes_nothing() -> None:
    engine = ScriptedEngine({"What is a borrow?": Line(text="a loan")})
    await engine.load(RUST, Path("unused"))
    assert (await engine.chat(QUESTION, adapter=RUST)).text == "a loan"


async def test_a_doubt_has_its_place_in_the_answer() -> None:
    line = Line(text="a loan of clay", entropy=0.1, doubts={2: 3.0})
    reply = await ScriptedEngine({"What is a borrow?": line}).chat(QUESTION)
    assert [token.entropy.upper for token in reply.tokens] == [0.1, 0.1, 3.0, 0.1]


async def test_a_stream_that_is_closed_is_no_longer_under_way() -> None:
    engine = ScriptedEngine({"What is a borrow?": Line(text="a loan", pause=0.01)})
    async with aclosing(engine.stream(QUESTION)) as parts:
        await anext(parts)
        assert engine.answering == 1
    assert engine.answering == 0


async def test_a_restart_forgets_the_adapters() -> None:
    engine = ScriptedEngine()
    await engine.load(RUST, Path("unused"))
    engine.restart()
    assert await engine.loaded() == ()


async def test_it_refuses_the_adapters_it_was_told_to_refuse() -> None:
    engine = ScriptedEngine(refused={RUST: "wrong base"})
    with pytest.raises(AdapterRefused, match="wrong base"):
        await engine.load(RUST, Path("unused"))


async def test_an_engine_that_is_switched_off_is_unavailable() -> None:
    engine = ScriptedEngine()
    engine.available = False
    with pytest.raises(EngineUnavailable):
        await engine.chat(QUESTION)


async def test_a_stop_string_cuts_within_a_token() -> None:
    engine = ScriptedEngine({"What is a borrow?": Line(text="one two. three")})
    reply = await engine.chat(QUESTION, sampling=Sampling(stop=("o.",)))
    assert reply.text == "one tw"
    assert reply.finish_reason == "stop"
