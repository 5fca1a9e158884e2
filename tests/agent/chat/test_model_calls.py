"""The model is asked within what its card allows."""

from langchain_core.messages import HumanMessage

from agent.chat.model_calls import ask_model, with_length_limit
from agent.chat.routing import Routes
from agent.engines.base import GREEDY, Sampling
from agent.engines.scripted import Line, ScriptedEngine
from agent.models.card import ChatTemplate
from memory.adapters.volatile import VolatileAdapterRegistry
from tests.support.adapters import curriculum
from tests.support.cards import card

ROUTES = Routes(VolatileAdapterRegistry([]), lambda digest: curriculum())


def test_without_a_limit_the_cards_length_holds() -> None:
    assert with_length_limit(GREEDY, card(answer_tokens=100)).max_tokens == 100


def test_a_limit_of_the_callers_holds_as_far_as_the_context_goes() -> None:
    assert with_length_limit(Sampling(max_tokens=500), card(answer_tokens=100)).max_tokens == 500
    assert with_length_limit(Sampling(max_tokens=32_000), card(context=2048)).max_tokens == 2048


async def test_thinking_is_neither_in_the_reply_nor_heard() -> None:
    thinks = card(template=ChatTemplate(thinking=("<think>", "</think>")))
    engine = ScriptedEngine({"Hi": Line(text="<think> They greet. </think> Hello there")})
    heard: list[str] = []
    reply = await ask_model(
        [HumanMessage("Hi")],
        None,
        engine=engine,
        routes=ROUTES,
        card=thinks,
        on_token=lambda token: heard.append(token.text),
    )
    assert (reply.text, "".join(heard)) == ("Hello there", "Hello there")
    assert len(reply.tokens) == 2


async def test_an_answer_ends_where_the_caller_has_heard_enough() -> None:
    engine = ScriptedEngine({"Tell me.": Line(text=" ".join(["word"] * 50))})
    reply = await ask_model(
        [HumanMessage("Tell me.")],
        None,
        engine=engine,
        routes=ROUTES,
        card=card(),
        stop_when=lambda tokens: len(tokens) == 5,
    )
    assert (len(reply.tokens), reply.finish_reason) == (5, "length")
    assert engine.answering == 0
