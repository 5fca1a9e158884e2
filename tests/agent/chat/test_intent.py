"""Questions that seek knowledge are told from everything else, on messages that training never saw."""

import json
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage

from agent.chat.calibration import calibration_error
from agent.chat.intent import (
    IntentGuess,
    carries_sources,
    classify,
    classify_by_words,
    intent_text,
    weights_for,
)
from agent.chat.train_intent import EXAMPLES, IntentExample, read_examples, train
from memory.embedding.embedder import Embedder, HashingEmbedder, SentenceEmbedder

HELD_OUT = Path(__file__).with_name("intent_held_out.jsonl")
OTHERS = "other languages"

Guessed = list[tuple[IntentExample, IntentGuess]]


@pytest.fixture(scope="module")
def embedder() -> SentenceEmbedder:
    return SentenceEmbedder()


@pytest.fixture(scope="module")
def guessed(embedder: SentenceEmbedder) -> Guessed:
    examples = read_examples(HELD_OUT)
    return [(example, classify([HumanMessage(example.text)], embedder)) for example in examples]


def _accuracy(guessed: Guessed) -> float:
    return float(np.mean([example.intent == guess.intent for example, guess in guessed]))


def test_held_out_messages_are_told_apart_overall_and_in_every_group(guessed: Guessed) -> None:
    groups: defaultdict[str, Guessed] = defaultdict(list)
    for example, guess in guessed:
        groups[example.kind].append((example, guess))
    assert len(guessed) >= 400
    assert len(groups[OTHERS]) >= 60
    assert _accuracy(guessed) >= 0.95
    assert {kind: share for kind, part in groups.items() if (share := _accuracy(part)) < 0.95} == {}


def test_few_questions_are_missed_and_little_else_is_taken_for_one(guessed: Guessed) -> None:
    questions = [(e, g) for e, g in guessed if e.intent == "question"]
    assert _accuracy(questions) >= 0.95
    assert _accuracy([(e, g) for e, g in guessed if g.intent == "question"]) >= 0.95


def test_probabilities_are_calibrated_on_held_out_messages(guessed: Guessed) -> None:
    probabilities = np.array([guess.probability for _, guess in guessed])
    labels = np.array([example.intent == "question" for example, _ in guessed])
    assert calibration_error(probabilities, labels, bins=5) <= 0.05


def test_no_held_out_message_was_trained_on() -> None:
    def plain(text: str) -> str:
        return " ".join(text.lower().split()).strip(" ?.!")

    trained = {plain(example.text) for example in read_examples(EXAMPLES)}
    assert not trained & {plain(example.text) for example in read_examples(HELD_OUT)}


def test_there_are_enough_examples_of_ours() -> None:
    examples = read_examples(EXAMPLES)
    assert len(examples) >= 640
    assert sum(example.kind == OTHERS for example in examples) >= 60
    assert len({example.text for example in examples}) == len(examples)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [SentenceEmbedder, HashingEmbedder])
def test_the_shipped_weights_are_what_training_makes(kind: type[Embedder]) -> None:
    embedder = kind()
    words, sentence = train(read_examples(EXAMPLES), embedder)
    shipped = weights_for(embedder.name)
    for made, kept in ((words.weights, shipped.words), (sentence.weights, shipped.sentence)):
        np.testing.assert_allclose(made.embedding, kept.embedding, atol=2e-5)  # rounded to 1e-5
        np.testing.assert_allclose(made.features, kept.features, atol=2e-5)
        np.testing.assert_allclose(made.intercept, kept.intercept, atol=2e-5)


def test_the_words_decide_most_messages_and_are_right_about_these(guessed: Guessed) -> None:
    embedder = SentenceEmbedder()
    by_words = [(e, classify_by_words([HumanMessage(e.text)], embedder)) for e, _ in guessed]
    decided = [(example, guess) for example, guess in by_words if guess is not None]
    assert len(decided) >= 0.6 * len(guessed)
    assert _accuracy(decided) >= 0.97


@pytest.mark.parametrize(
    "text",
    [
        "Hi",
        "Hello!",
        "Thanks, that helped",
        "Who are you?",
        "Write a haiku about rain.",
        "What is 2+2?",
        "### Task:\nGenerate a concise title with an emoji for the chat history.\n### Output:\n"
        '{ "title": "..." }\n<chat_history>\nUSER: What is a plimdor?\n</chat_history>',
        "### Task:\nSuggest follow-ups that the user might ask.\n<chat_history>\nUSER: Who wrote Dune?"
        '\n</chat_history>\n### Output:\n{ "follow_ups": [] }',
    ],
)
def test_what_clients_and_people_say_beside_questions_is_conversation(
    text: str, embedder: SentenceEmbedder
) -> None:
    assert classify([HumanMessage(text)], embedder).intent == "conversation"


@pytest.mark.parametrize(
    "text",
    [
        "What is the capital of France?",
        "capital of France?",
        "httpx default timeout",
        "Tell me who wrote Dune",
        "Define entropy",
        "What is a dangling reference?",
        "What is a plimdor?",
        "Where is it kept?",
        "and its capital?",
    ],
)
def test_knowledge_is_sought_in_whatever_form(text: str, embedder: SentenceEmbedder) -> None:
    assert classify([HumanMessage(text)], embedder).intent == "question"


SOURCED: dict[str, list[BaseMessage]] = {
    "tags": [HumanMessage("<context>\nA plimdor is a boat.\n</context>\nWhat is a plimdor?")],
    "announced": [
        HumanMessage(
            "Use the following context to answer.\n\nA plimdor is a small boat that is kept in a shed.\n\n"
            "What is a plimdor?"
        )
    ],
    "labelled": [
        HumanMessage("Context: A plimdor is a small boat, kept in a shed.\nQuestion: What is a plimdor?")
    ],
    "system": [
        SystemMessage("Answer from these documents:\n[1] A plimdor is a small boat that is kept in a shed."),
        HumanMessage("What is a plimdor?"),
    ],
    "tool": [
        HumanMessage("What is a plimdor?"),
        AIMessage("", tool_calls=[{"name": "search", "args": {}, "id": "1"}]),
        ToolMessage("A plimdor is a small boat.", tool_call_id="1"),
    ],
}


@pytest.mark.parametrize("messages", SOURCED.values(), ids=SOURCED)
def test_a_prompt_that_brings_its_sources_is_answered_from_them(
    messages: list[BaseMessage], embedder: SentenceEmbedder
) -> None:
    assert carries_sources(messages)
    assert classify(messages, embedder) == IntentGuess(intent="conversation", probability=0.0)


@pytest.mark.parametrize(
    "text",
    [
        "What is a plimdor?",
        "In which context is the word used in British law and in everyday speech today?",
        "Which of the following articles of the constitution gives women the right to vote in all elections?",
        "What are good sources of vitamin D for people who live in the far north in winter?",
        "What does the <context> tag do?",
    ],
)
def test_a_question_that_only_speaks_of_sources_brings_none(text: str) -> None:
    assert not carries_sources([HumanMessage(text)])


def test_sources_of_an_earlier_turn_do_not_count() -> None:
    earlier = SOURCED["tool"]
    assert not carries_sources([*earlier, AIMessage("A boat."), HumanMessage("Who wrote Dune?")])


def test_a_fragment_wants_what_the_message_before_it_wanted(embedder: SentenceEmbedder) -> None:
    asked = [HumanMessage("What is the capital of Germany?"), AIMessage("Berlin.")]
    told = [HumanMessage("Write a haiku about rain."), AIMessage("Drops on the tin roof.")]
    fragment = HumanMessage("And about snow?")
    assert classify([*asked, HumanMessage("And of Spain?")], embedder).intent == "question"
    assert classify([*told, fragment], embedder).intent == "conversation"
    assert intent_text([*told, fragment]) == "Write a haiku about rain."
    assert intent_text([fragment]) == "And about snow?"


@pytest.mark.parametrize("text", ["Thanks!", "ok thanks", "Shorter please", "Hello", "and make it rhyme"])
def test_a_message_of_its_own_is_no_fragment(text: str) -> None:
    messages = [HumanMessage("Who wrote Dune?"), AIMessage("Frank Herbert."), HumanMessage(text)]
    assert intent_text(messages) == text


def test_an_embedder_without_weights_is_refused_with_what_to_do() -> None:
    class Unknown(HashingEmbedder):
        name = "unknown"  # type: ignore[assignment]

    with pytest.raises(ValueError, match=r"run python -m agent\.chat\.train_intent"):
        classify([HumanMessage("Hi")], Unknown())
    with pytest.raises(ValueError, match="256 dimensions and the embedding has 64"):
        classify([HumanMessage("Hi")], HashingEmbedder(64))
    with pytest.raises(ValueError, match="user message"):
        classify([SystemMessage("Hi")], HashingEmbedder())


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "text",
    [
        "<context>" * 20_000,
        "<" * 200_000,
        "<context>" * 20_000 + "</source>" * 20_000,
        "<context " * 20_000,
        "following " + " " * 200_000,
        "[" * 200_000,
        "\n" * 200_000 + "?",
        "1 " * 100_000,
        "given " * 40_000,
        '"' * 200_000,
        "it," * 60_000,
    ],
    ids=[
        "tags",
        "brackets",
        "pairs",
        "halves",
        "spaces",
        "squares",
        "lines",
        "numbers",
        "words",
        "quotes",
        "pronouns",
    ],
)
def test_a_huge_message_is_read_in_linear_time(text: str) -> None:
    messages = [HumanMessage("What is a plimdor?"), HumanMessage(text)]
    assert classify(messages, HashingEmbedder()).intent in ("question", "conversation")


def test_the_files_of_examples_are_json_lines_with_the_three_fields() -> None:
    for path in (EXAMPLES, HELD_OUT):
        for line in path.read_text(encoding="utf-8").splitlines():
            assert set(json.loads(line)) == {"text", "intent", "kind"}
