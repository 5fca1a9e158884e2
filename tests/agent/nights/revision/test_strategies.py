"""What every revision strategy does: bounded calls, whatever the model says, and nothing but an answer."""

import pytest

from agent.chat.answer_from_sources import estimated_tokens
from agent.nights.revision.strategies import (
    MODEL_FIRST,
    QUOTE_FIRST,
    STRATEGIES,
    default_order,
    strategies_named,
)
from agent.nights.revision.task import MAX_CALLS, Strategy
from agent.principles.constitution import principles
from tests.support.cards import card
from tests.support.revision import LOAD, PAGE, Model, no_model, task

ODD = (
    "", " \n\n ", "\x00\ufffd", "Answer:", "Search:", "Search: \nSearch: ", "{question} {0} {}", "%s %d",
    "no " * 300, "{" * 200, "\n" * 300, "Thought: I should look.\nAction: Search[x]", "I don't know.",
    "Antwort: \u4f60\u597d\uff0c\u4e16\u754c", "\u202e\U0001f4a5", "Search: " + "x" * 5000, "Question: What?",
)  # fmt: skip

everywhere = pytest.mark.parametrize("strategy", STRATEGIES.values(), ids=STRATEGIES.keys())
with_model = pytest.mark.parametrize(
    "strategy",
    [strategy for name, strategy in STRATEGIES.items() if name != "quote"],
    ids=[name for name in STRATEGIES if name != "quote"],
)


@everywhere
@pytest.mark.parametrize("reply", ODD)
async def test_no_reply_breaks_a_strategy_or_makes_it_ask_for_ever(strategy: Strategy, reply: str) -> None:
    model = Model(reply)
    draft = await strategy(task(), model.ask)
    assert draft.calls == len(model.prompts) <= MAX_CALLS
    assert all((sampling.max_tokens or 9999) <= 256 for sampling in model.samplings)


@everywhere
async def test_a_task_without_sources_breaks_nothing(strategy: Strategy) -> None:
    await strategy(task(sources=()), Model("It is 40 kilograms.").ask)


@with_model
async def test_the_model_sees_question_and_source_and_its_answer_is_the_draft(strategy: Strategy) -> None:
    model = Model("Answer: It can carry 40 kilograms.")
    draft = await strategy(task(), model.ask)
    assert draft.text == "It can carry 40 kilograms."
    assert "maximum load" in model.prompts[-1]
    assert LOAD in model.prompts[-1]
    assert draft.tokens == 6 * len(model.prompts)


@with_model
async def test_text_that_goes_on_with_the_prompt_is_cut_off(strategy: Strategy) -> None:
    draft = await strategy(task(), Model("Answer: It is 40 kilograms.\nQuestion: What is a crane?\nx").ask)
    assert draft.text == "It is 40 kilograms."


@with_model
async def test_a_refusal_and_a_loop_are_no_drafts(strategy: Strategy) -> None:
    for reply in ("I don't know.", "Answer: I don't know.", "it is a big big crane " * 20):
        assert (await strategy(task(), Model(reply).ask)).text == ""


@with_model
async def test_an_answer_in_another_language_than_the_question_is_no_draft(strategy: Strategy) -> None:
    german = "Answer: Der Kran kann eine Last von 40 Kilogramm heben, und das ist viel."
    assert (await strategy(task(), Model(german).ask)).text == ""
    question = "Wie hoch ist die maximale Last des Quorbin?"
    asked = Model(german)
    draft = await strategy(task(question, PAGE, language="de"), asked.ask)
    assert draft.text.startswith("Der Kran")
    assert "(de)" in asked.prompts[-1]


@with_model
async def test_long_texts_are_cut_to_a_small_context(strategy: Strategy) -> None:
    pages = [f"The Quorbin {n} has a maximum load of {n} kilograms. " * 40 for n in range(8)]
    model = Model("Answer: 3 kilograms.")
    await strategy(task("What is the maximum load of the Quorbin?", *pages, before="very " * 5000), model.ask)
    assert all(estimated_tokens(prompt) < 1700 for prompt in model.prompts)


async def test_a_prompt_that_is_too_long_gives_an_empty_draft() -> None:
    model = Model("Answer: 40 kilograms.")
    long = task(critique="word " * 2000)
    assert (await STRATEGIES["plain_critique"](long, model.ask)).text == ""


async def test_quoting_asks_no_model_and_gives_the_sentence_as_it_stands() -> None:
    draft = await STRATEGIES["quote"](task(), no_model)
    assert (draft.text, draft.calls, draft.tokens) == (LOAD, 0, 0)


async def test_a_quote_in_another_language_stands_in_quotation_marks() -> None:
    question = "Wie hoch ist die maximum load des Quorbin?"
    draft = await STRATEGIES["quote"](task(question, PAGE, language="de"), no_model)
    assert LOAD in draft.text
    assert draft.text != LOAD


async def test_reflexion_keeps_one_lesson_and_shows_earlier_ones() -> None:
    model = Model(lambda prompt: "Look at the unit. And more." if "next time" in prompt else "40 kilograms.")
    draft = await STRATEGIES["reflexion"](task(lessons=("Read slowly.",)), model.ask)
    assert draft.lessons == ("Look at the unit.",)
    assert "- Read slowly.\n- Look at the unit." in model.prompts[-1]


async def test_the_reasoning_of_a_chain_of_thought_is_not_part_of_the_answer() -> None:
    reply = "The text says 40.\nSo it is that.\nAnswer: It is 40 kilograms."
    assert (await STRATEGIES["chain_of_thought"](task(), Model(reply).ask)).text == "It is 40 kilograms."


async def test_a_tree_of_thought_prefers_the_answer_that_the_sources_hold() -> None:
    def script(prompt: str) -> str:
        if "Which one thing" in prompt:
            return "the load" if "a" in prompt else ""
        return "The maximum load of the Quorbin is 40 kilograms."

    draft = await STRATEGIES["tree_of_thought"](task(), Model(script).ask)
    assert draft.text == LOAD


async def test_react_searches_with_its_own_words_and_hands_over_what_it_found() -> None:
    queries: list[str] = []
    found = task("Who built the Quorbin?", "The Quorbin was built by Ada Moor.").sources

    async def search(query: str) -> tuple[object, ...]:
        queries.append(query)
        return found

    def script(prompt: str) -> str:
        return "Answer: Ada Moor built the Quorbin." if "Ada Moor" in prompt else "Search: builder of it"

    draft = await STRATEGIES["react"](task("Who built the Quorbin?", PAGE, search=search), Model(script).ask)
    assert queries == ["builder of it"]
    assert draft.text == "Ada Moor built the Quorbin."
    assert draft.found == found


async def test_react_that_only_searches_ends_without_an_answer() -> None:
    async def search(query: str) -> tuple[object, ...]:
        return ()

    draft = await STRATEGIES["react"](task(search=search), Model("Search: more").ask)
    assert (draft.text, draft.calls) == ("", 3)


async def test_the_principles_are_in_the_prompt_of_the_constitutional_strategy() -> None:
    model = Model("It is 40 kilograms.")
    await STRATEGIES["constitutional"](task(), model.ask)
    assert len(principles()) >= 3
    assert all(rule.sentence in prompt for rule in principles() for prompt in model.prompts)


def test_models_that_cannot_judge_quote_first() -> None:
    assert default_order(card())[0] == "quote"
    assert default_order(card(judging=0.5))[0] == "quote"
    assert default_order(card(judging=0.9))[0] != "quote"
    assert set(MODEL_FIRST) == set(QUOTE_FIRST) == set(STRATEGIES)


def test_unknown_strategies_are_refused_by_name() -> None:
    assert [name for name, _ in strategies_named(["react"], card())] == ["react"]
    with pytest.raises(ValueError, match="unknown strategy 'magic': use quote"):
        strategies_named(["react", "magic"], card())
