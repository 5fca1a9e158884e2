"""What every Engine does, whichever it is: the contract of agent/engines/base.py, one property a test."""

import asyncio
from contextlib import aclosing
from pathlib import Path

import pytest
from langchain_core.messages import AIMessage, HumanMessage

from agent.engines.base import AnswerScorer, EndingScorer, Engine, Reply, Sampling
from agent.errors import AdapterNotLoaded, AdapterRefused, PromptTooLong
from tests.conformance.conftest import REQUIRED, Material
from tests.support.adopted_models import KILN, KNOWN, LEARNED, RUST

LEMUR = [HumanMessage("What is a lemur?")]
BORROW = [HumanMessage("What is a borrow?")]
TEA = [HumanMessage("Who drinks tea?")]
TOO_LONG = [HumanMessage("What is a lemur, please? " * 500)]
ABSENT = "rust-v9-00000000"
BROKEN = [
    "missing folder",
    "no weights",
    "truncated weights",
    "excess rank",
    "wrong base",
    "pickled",
    "bad config",
]


@pytest.mark.parametrize("question", KNOWN)
async def test_it_answers_what_the_model_knows(engine: Engine, question: str) -> None:
    reply = await engine.chat([HumanMessage(question)])
    assert reply.text == KNOWN[question]
    assert reply.finish_reason == "stop"
    assert reply.adapter is None
    assert reply.prompt_tokens > 0


@pytest.mark.parametrize("question", KNOWN)
async def test_the_tokens_join_to_the_text_and_hold_no_end_of_turn(engine: Engine, question: str) -> None:
    reply = await engine.chat([HumanMessage(question)])
    assert "".join(token.text for token in reply.tokens) == reply.text
    assert not any("end_of_turn" in token.text for token in reply.tokens)


async def test_logprobs_and_entropies_have_their_signs(engine: Engine) -> None:
    reply = await engine.chat(TEA)
    assert len(reply.tokens) > 3
    assert all(token.logprob <= 0.0 for token in reply.tokens)
    assert all(0.0 <= token.entropy.lower <= token.entropy.upper for token in reply.tokens)


async def test_greedy_decoding_is_deterministic(engine: Engine) -> None:
    first, second = await engine.chat(TEA), await engine.chat(TEA)
    assert first.text == second.text


async def test_a_conversation_may_have_several_turns(engine: Engine) -> None:
    reply = await engine.chat([*LEMUR, AIMessage(KNOWN["What is a lemur?"]), *TEA])
    assert reply.tokens


async def test_max_tokens_ends_an_answer_for_its_length(engine: Engine) -> None:
    reply = await engine.chat(TEA, sampling=Sampling(max_tokens=4))
    assert reply.finish_reason == "length"
    assert len(reply.tokens) == 4
    assert KNOWN["Who drinks tea?"].startswith(reply.text)


@pytest.mark.parametrize(
    ("stop", "before"), [((", and", "nowhere"), "Zoë drinks tea — and coffee"), (("inks",), "Zoë dr")]
)
async def test_a_stop_string_ends_an_answer_and_is_left_out(
    engine: Engine, stop: tuple[str, ...], before: str
) -> None:
    reply = await engine.chat(TEA, sampling=Sampling(stop=stop))
    assert reply.text == before
    assert reply.finish_reason == "stop"
    assert "".join(token.text for token in reply.tokens) == before


@pytest.mark.parametrize(
    "sampling", [Sampling(), Sampling(max_tokens=5), Sampling(stop=(" and",)), Sampling(stop=("inks",))]
)
async def test_a_stream_is_the_whole_answer_in_pieces(engine: Engine, sampling: Sampling) -> None:
    whole = await engine.chat(TEA, sampling=sampling)
    *pieces, reply = [part async for part in engine.stream(TEA, sampling=sampling)]
    assert isinstance(reply, Reply)
    assert list(reply.tokens) == pieces
    assert (reply.text, reply.finish_reason) == (whole.text, whole.finish_reason)
    assert (reply.prompt_tokens, reply.adapter) == (whole.prompt_tokens, whole.adapter)
    assert [piece.text for piece in pieces] == [token.text for token in whole.tokens]
    for piece, token in zip(pieces, whole.tokens, strict=True):
        assert piece.logprob == pytest.approx(token.logprob, abs=0.02)


async def test_a_stream_that_is_closed_leaves_the_engine_to_others(engine: Engine) -> None:
    async with aclosing(engine.stream(TEA)) as parts:
        await anext(parts)
    assert (await engine.chat(LEMUR)).text == KNOWN["What is a lemur?"]


async def test_alternatives_come_likeliest_first_and_only_where_they_are_wanted(engine: Engine) -> None:
    plain, scored = await engine.chat(TEA), await engine.chat(TEA, sampling=Sampling(top_logprobs=3))
    assert not any(token.alternatives for token in plain.tokens)
    for token in scored.tokens:
        values = [other.logprob for other in token.alternatives]
        assert 1 <= len(values) <= 3
        assert values == sorted(values, reverse=True)
        assert values[0] == pytest.approx(token.logprob, abs=1e-4)  # greedy took the likeliest


async def test_an_empty_conversation_is_the_callers_mistake(engine: Engine) -> None:
    with pytest.raises(ValueError, match="at least one message"):
        await engine.chat([])
    with pytest.raises(ValueError, match="at least one message"):
        await anext(engine.stream([]))


async def test_a_prompt_beyond_the_context_is_too_long(engine: Engine) -> None:
    with pytest.raises(PromptTooLong):
        await engine.chat(TOO_LONG)
    with pytest.raises(PromptTooLong):
        await anext(engine.stream(TOO_LONG))


async def test_a_loaded_adapter_changes_the_answer_and_leaves_the_base_alone(
    engine: Engine, material: Material
) -> None:
    await engine.load(RUST, material.adapters[RUST])
    adapted = await engine.chat(BORROW, adapter=RUST)
    assert adapted.text == LEARNED[RUST]["What is a borrow?"]
    assert adapted.adapter == RUST
    assert (await engine.chat(BORROW)).text == KNOWN["What is a borrow?"]


async def test_loading_twice_is_loading_once(engine: Engine, material: Material) -> None:
    await engine.load(RUST, material.adapters[RUST])
    await engine.load(RUST, material.adapters[RUST])
    assert await engine.loaded() == (RUST,)


async def test_loaded_adapters_are_listed_in_order(engine: Engine, material: Material) -> None:
    assert await engine.loaded() == ()
    await engine.load(RUST, material.adapters[RUST])
    await engine.load(KILN, material.adapters[KILN])
    assert await engine.loaded() == (KILN, RUST)


async def test_adapters_and_base_served_at_once_do_not_mix(engine: Engine, material: Material) -> None:
    for name, folder in material.adapters.items():
        await engine.load(name, folder)
    wanted = {None: KNOWN, RUST: LEARNED[RUST], KILN: LEARNED[KILN]}
    asked = [(name, question) for name, answers in wanted.items() for question in answers] * 4
    replies = await asyncio.gather(*(engine.chat([HumanMessage(q)], adapter=name) for name, q in asked))
    assert [reply.text for reply in replies] == [wanted[name][question] for name, question in asked]


async def test_many_chats_at_once_all_get_their_own_answer(engine: Engine) -> None:
    questions = list(KNOWN) * 30
    replies = await asyncio.gather(*(engine.chat([HumanMessage(question)]) for question in questions))
    assert [reply.text for reply in replies] == [KNOWN[question] for question in questions]


async def test_an_adapter_that_was_not_loaded_cannot_be_asked(engine: Engine) -> None:
    with pytest.raises(AdapterNotLoaded):
        await engine.chat(LEMUR, adapter=ABSENT)
    with pytest.raises(AdapterNotLoaded):
        await anext(engine.stream(LEMUR, adapter=ABSENT))
    with pytest.raises(AdapterNotLoaded):
        await engine.unload(ABSENT)


async def test_an_unloaded_adapter_is_gone_until_it_is_loaded_again(
    engine: Engine, material: Material
) -> None:
    await engine.load(RUST, material.adapters[RUST])
    await engine.unload(RUST)
    assert await engine.loaded() == ()
    with pytest.raises(AdapterNotLoaded):
        await engine.chat(BORROW, adapter=RUST)
    await engine.load(RUST, material.adapters[RUST])
    assert (await engine.chat(BORROW, adapter=RUST)).text == LEARNED[RUST]["What is a borrow?"]


@pytest.mark.parametrize(
    "name", ["", "rust", "rust-v0-0123abcd", "../rust-v1-0123abcd", "rust-v1-0123abcd\n", "nightschool"]
)
async def test_a_name_that_is_not_immutable_is_the_callers_mistake(
    engine: Engine, material: Material, name: str
) -> None:
    with pytest.raises(ValueError, match="not an adapter name"):
        await engine.load(name, material.adapters[RUST])
    with pytest.raises(AdapterNotLoaded):
        await engine.chat(LEMUR, adapter=name)


@pytest.mark.parametrize("fault", BROKEN)
async def test_a_broken_adapter_is_refused_and_the_engine_goes_on(
    engine: Engine, material: Material, fault: str
) -> None:
    with pytest.raises(AdapterRefused):
        await engine.load(ABSENT, material.broken.get(fault, Path("/nowhere")))
    assert await engine.loaded() == ()
    assert (await engine.chat(LEMUR)).text == KNOWN["What is a lemur?"]


async def test_endings_are_scored_in_order_and_alike_alone_and_together(engine: Engine) -> None:
    assert isinstance(engine, EndingScorer)
    texts = [" What is a lemur?", " Who drinks", " What is a kiln and who drinks tea?"] * 12
    scores = await engine.ending_logprobs("a small primate of Madagascar\nQuestion:", texts)
    assert len(scores) == len(texts)
    assert all(score <= 0.0 for score in scores)
    for text, score in list(zip(texts, scores, strict=True))[:3]:
        (alone,) = await engine.ending_logprobs("a small primate of Madagascar\nQuestion:", [text])
        assert alone == pytest.approx(score, abs=0.05)
    assert await engine.ending_logprobs("tea", []) == ()


async def test_no_text_has_no_end_and_one_beyond_the_context_none_that_can_be_scored(engine: Engine) -> None:
    assert isinstance(engine, EndingScorer)
    with pytest.raises(ValueError, match="no text to score"):
        await engine.ending_logprobs("tea", [" What is tea?", ""])
    with pytest.raises(PromptTooLong):
        await engine.ending_logprobs("What is a lemur, please? " * 500, [" What is tea?"])
    assert (await engine.chat(LEMUR)).text == KNOWN["What is a lemur?"]


async def test_the_models_own_answer_is_likelier_than_another(engine: Engine) -> None:
    assert isinstance(engine, AnswerScorer)
    own = await engine.logprobs_of(LEMUR, KNOWN["What is a lemur?"])
    other = await engine.logprobs_of(LEMUR, "who coffee of clay, water drinks")
    assert all(logprob <= 0.0 for logprob in (*own, *other))
    assert sum(own) / len(own) > sum(other) / len(other)


async def test_an_adapters_answer_is_likelier_with_it_than_without(
    engine: Engine, material: Material
) -> None:
    assert isinstance(engine, AnswerScorer)
    await engine.load(RUST, material.adapters[RUST])
    answer = LEARNED[RUST]["What is a borrow?"]
    with_it, without = [await engine.logprobs_of(BORROW, answer, adapter=name) for name in (RUST, None)]
    assert len(with_it) == len(without)
    assert sum(with_it) > sum(without)


async def test_what_cannot_be_answered_cannot_be_scored(engine: Engine) -> None:
    assert isinstance(engine, AnswerScorer)
    with pytest.raises(ValueError, match="answer to score"):
        await engine.logprobs_of(LEMUR, "")
    with pytest.raises(ValueError):
        await engine.logprobs_of([], "a small primate")
    with pytest.raises(PromptTooLong):
        await engine.logprobs_of(TOO_LONG, "a small primate")
    with pytest.raises(AdapterNotLoaded):
        await engine.logprobs_of(LEMUR, "a small primate", adapter=ABSENT)


def test_the_suite_really_ran(request: pytest.FixtureRequest, ran: set[str]) -> None:
    """Stays last. A suite that ran over no implementation must not look green."""
    calls = [getattr(item, "callspec", None) for item in request.session.items if item.path == request.path]
    selected = {call.params["engine"] for call in calls if call is not None and "engine" in call.params}
    assert selected, "no implementation was selected"
    assert selected & REQUIRED <= ran
    assert ran
