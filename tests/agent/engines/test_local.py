"""What the in-process engine does beyond the shared contract of tests/conformance."""

import asyncio
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from langchain_core.messages import FunctionMessage, HumanMessage
from transformers import AutoModelForCausalLM, AutoTokenizer

from agent.engines.base import Sampling
from agent.engines.decoding import DecodingRequest, complete_batch, end_tokens
from agent.engines.local import LocalEngine
from agent.errors import AdapterNotLoaded, EngineUnavailable
from tests.support.adopted_models import CONTEXT, KNOWN, LEARNED, RUST, build_adapter, build_model

TEA = [HumanMessage("Who drinks tea?")]
BORROW = [HumanMessage("What is a borrow?")]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_model(tmp_path_factory.mktemp("local") / "model")


@pytest.fixture(scope="module")
def adapter(model: Path) -> Path:
    return build_adapter(model, model.parent / RUST, LEARNED[RUST])


@pytest.fixture
def engine(model: Path) -> LocalEngine:
    return LocalEngine.open(model, device="cpu")


async def test_entropy_bounds_hold_the_whole_distribution_and_logprobs_are_its_own(
    engine: LocalEngine, model: Path
) -> None:
    reply = await engine.chat(TEA)
    tokenizer = AutoTokenizer.from_pretrained(model)
    prompt = tokenizer.apply_chat_template(
        [{"role": "user", "content": "Who drinks tea?"}], add_generation_prompt=True, tokenize=False
    )
    start = tokenizer(prompt, add_special_tokens=False)["input_ids"]
    answer = tokenizer(f" {reply.text}", add_special_tokens=False)["input_ids"]
    with torch.inference_mode():
        logits = AutoModelForCausalLM.from_pretrained(model)(torch.tensor([start + answer])).logits[0]
    rows = logits[len(start) - 1 : -1].log_softmax(-1)
    assert len(reply.tokens) == len(answer)
    for row, token, label in zip(rows, reply.tokens, answer, strict=True):
        exact = -(row.exp() * row).sum().item()
        assert token.entropy.lower - 1e-4 <= exact <= token.entropy.upper + 1e-4
        assert token.logprob == pytest.approx(row[label].item(), abs=1e-4)


async def test_a_row_answers_the_same_whatever_shares_its_batch(engine: LocalEngine) -> None:
    alone = [await engine.chat([HumanMessage(question)]) for question in KNOWN]
    long = HumanMessage("What is a lemur, and what is a kiln? " * 4)
    together = await asyncio.gather(
        engine.chat([long]), *(engine.chat([HumanMessage(question)]) for question in KNOWN)
    )
    for one, other in zip(alone, together[1:], strict=True):
        assert one.text == other.text
        assert [t.logprob for t in one.tokens] == pytest.approx([t.logprob for t in other.tokens], abs=1e-3)


async def test_sampling_is_repeatable_by_its_seed_and_differs_between_seeds(engine: LocalEngine) -> None:
    hot = [Sampling(temperature=3.0, seed=seed, max_tokens=16) for seed in (1, 1, 2)]
    first, again, other = await asyncio.gather(*(engine.chat(TEA, sampling=sampling) for sampling in hot))
    assert first.text == again.text
    assert first.text != other.text


async def test_temperature_does_not_change_the_reported_probabilities(engine: LocalEngine) -> None:
    greedy = await engine.chat(TEA, sampling=Sampling(max_tokens=1))
    hot = await engine.chat(TEA, sampling=Sampling(max_tokens=1, temperature=5.0))
    assert hot.tokens[0].entropy.lower == pytest.approx(greedy.tokens[0].entropy.lower, abs=1e-5)


async def test_a_small_nucleus_leaves_only_the_likeliest_token(engine: LocalEngine) -> None:
    greedy = await engine.chat(TEA)
    hot = await engine.chat(TEA, sampling=Sampling(temperature=3.0, top_p=1e-6, seed=3))
    assert hot.text == greedy.text


async def test_an_answer_ends_with_the_context(engine: LocalEngine) -> None:
    reply = await engine.chat([HumanMessage("tea " * 60)], sampling=Sampling(max_tokens=4000, stop=("\x00",)))
    assert reply.prompt_tokens + len(reply.tokens) <= CONTEXT


ENDINGS = (" tea.", " tea", " What is a kiln and what is a lemur?", " Who drinks tea and what is a borrow?")


@pytest.mark.parametrize("scored", [1, 3, 32])
async def test_endings_scored_in_batches_are_what_the_model_gives_each_alone(
    engine: LocalEngine, model: Path, monkeypatch: pytest.MonkeyPatch, scored: int
) -> None:
    monkeypatch.setattr("agent.engines.local.SCORING_BATCH", scored)
    prompt = "Zoë drinks tea — and coffee.\nQuestion:"
    tokenizer, weights = AutoTokenizer.from_pretrained(model), AutoModelForCausalLM.from_pretrained(model)
    exact: list[float] = []
    for text in ENDINGS:
        row = tokenizer(prompt)["input_ids"] + tokenizer(text, add_special_tokens=False)["input_ids"]
        with torch.inference_mode():
            exact.append(weights(torch.tensor([row])).logits[0, -2].log_softmax(-1)[row[-1]].item())
    assert await engine.ending_logprobs(prompt, ENDINGS) == pytest.approx(exact, abs=1e-3)


async def test_endings_are_the_base_models_whatever_adapter_was_asked_last(
    engine: LocalEngine, adapter: Path
) -> None:
    base = await engine.ending_logprobs("What is a borrow?", ENDINGS)
    await engine.load(RUST, adapter)
    await engine.chat(BORROW, adapter=RUST)
    assert await engine.ending_logprobs("What is a borrow?", ENDINGS) == pytest.approx(base, abs=1e-5)


async def test_hidden_states_have_a_layer_a_token_and_a_width(engine: LocalEngine) -> None:
    states = await engine.hidden_states(TEA)
    reply = await engine.chat(TEA)
    assert states.shape == (3, reply.prompt_tokens, 64)
    assert states.dtype == np.float32


async def test_an_adapter_changes_hidden_states_and_unloading_restores_them(
    engine: LocalEngine, adapter: Path
) -> None:
    base = await engine.hidden_states(BORROW)
    await engine.load(RUST, adapter)
    assert not np.allclose(await engine.hidden_states(BORROW, adapter=RUST), base, atol=1e-2)
    np.testing.assert_array_equal(await engine.hidden_states(BORROW), base)
    await engine.unload(RUST)
    np.testing.assert_array_equal(await engine.hidden_states(BORROW), base)


async def test_an_adapter_unloaded_while_a_chat_waits_fails_that_chat_only(
    engine: LocalEngine, adapter: Path
) -> None:
    await engine.load(RUST, adapter)
    adapted, base = (
        asyncio.create_task(engine.chat(BORROW, adapter=RUST)),
        asyncio.create_task(engine.chat(BORROW)),
    )
    await asyncio.sleep(0)
    await engine.unload(RUST)
    with pytest.raises(AdapterNotLoaded):
        await adapted
    assert (await base).text == KNOWN["What is a borrow?"]


async def test_a_cancelled_chat_leaves_the_others_alone(engine: LocalEngine) -> None:
    first, second = asyncio.create_task(engine.chat(TEA)), asyncio.create_task(engine.chat(BORROW))
    await asyncio.sleep(0)
    first.cancel()
    assert (await second).text == KNOWN["What is a borrow?"]


async def test_a_stream_that_nobody_reads_any_more_is_not_decoded_to_its_end(model: Path) -> None:
    weights, tokenizer = AutoModelForCausalLM.from_pretrained(model), AutoTokenizer.from_pretrained(model)
    steps: list[int] = []
    prompt = DecodingRequest(
        tokenizer("What is a kiln?")["input_ids"],
        Sampling(max_tokens=100),
        on_token=lambda token: steps.append(1),
        is_cancelled=lambda: len(steps) >= 3,
    )
    (completion,) = complete_batch(weights, tokenizer, [prompt], frozenset())
    assert len(completion.tokens) == 3


async def test_a_message_of_no_chat_role_is_the_callers_mistake(engine: LocalEngine) -> None:
    with pytest.raises(ValueError, match="unsupported message type"):
        await engine.chat([FunctionMessage(name="f", content="x")])


def test_a_model_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable, match="cannot load the model"):
        LocalEngine.open(tmp_path)


def test_a_batch_of_prompts_of_different_lengths_matches_each_alone(model: Path) -> None:
    weights, tokenizer = (
        AutoModelForCausalLM.from_pretrained(model).eval(),
        AutoTokenizer.from_pretrained(model),
    )
    prompts = [
        DecodingRequest(tokenizer(text)["input_ids"], Sampling(max_tokens=8))
        for text in ("a", "a kiln and tea", "What")
    ]
    ends = end_tokens(weights, tokenizer)
    together = complete_batch(weights, tokenizer, prompts, ends)
    for prompt, completion in zip(prompts, together, strict=True):
        (alone,) = complete_batch(weights, tokenizer, [prompt], ends)
        assert [t.text for t in alone.tokens] == [t.text for t in completion.tokens]
        assert all(t.entropy.upper <= math.log(weights.config.vocab_size) + 1e-4 for t in completion.tokens)


def test_decoding_keeps_nothing_for_gradients(model: Path) -> None:
    weights, tokenizer = AutoModelForCausalLM.from_pretrained(model), AutoTokenizer.from_pretrained(model)
    kept: list[bool] = []
    weights.register_forward_hook(lambda _, __, output: kept.append(output.logits.requires_grad))
    complete_batch(
        weights,
        tokenizer,
        [DecodingRequest(tokenizer("a kiln")["input_ids"], Sampling(max_tokens=2))],
        frozenset(),
    )
    assert kept == [False, False]


@pytest.mark.parametrize("window", [512, 4])
def test_what_all_prompts_begin_with_is_computed_once_and_changes_no_answer(
    model: Path, window: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights, tokenizer = (
        AutoModelForCausalLM.from_pretrained(model).eval(),
        AutoTokenizer.from_pretrained(model),
    )
    monkeypatch.setattr(weights.config, "sliding_window", window)
    read: list[int] = []
    weights.register_forward_pre_hook(
        lambda _, __, given: read.append(given["input_ids"].numel()), with_kwargs=True
    )
    beginning = "What is a kiln and what is tea and who drinks it? "
    prompts = [
        DecodingRequest(tokenizer(beginning + text)["input_ids"], Sampling(max_tokens=8))
        for text in ("a", "a kiln and tea", "What")
    ]
    ends = end_tokens(weights, tokenizer)
    together = complete_batch(weights, tokenizer, prompts, ends)
    shared = read[0] < min(len(prompt.ids) for prompt in prompts)
    assert shared == (window == 512)
    for prompt, completion in zip(prompts, together, strict=True):
        (alone,) = complete_batch(weights, tokenizer, [prompt], ends)
        assert [t.text for t in alone.tokens] == [t.text for t in completion.tokens]
        assert [t.logprob for t in alone.tokens] == pytest.approx(
            [t.logprob for t in completion.tokens], abs=1e-3
        )


async def test_control_tokens_in_a_message_are_read_as_plain_characters(engine: LocalEngine) -> None:
    plain = await engine.chat([HumanMessage("tea")])
    marked = await engine.chat([HumanMessage("tea<end_of_turn><bos>")])
    assert marked.prompt_tokens > plain.prompt_tokens + 2


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("response_format", {"type": "json_object"}),
        ("tools", ({"type": "function", "function": {"name": "search"}},)),
        ("logit_bias", {"5": -100.0}),
        ("presence_penalty", 0.5),
        ("frequency_penalty", -0.5),
    ],
)
async def test_what_only_vllm_can_do_is_refused_by_name(
    engine: LocalEngine, field: str, value: object
) -> None:
    sampling = Sampling.model_validate({field: value})
    with pytest.raises(ValueError, match=f"{field} is not supported.*NIGHTSCHOOL_ENGINE=vllm"):
        await engine.chat(TEA, sampling=sampling)
    with pytest.raises(ValueError, match=field):
        await anext(engine.stream(TEA, sampling=sampling))
