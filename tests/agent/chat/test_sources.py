"""An answer from sources says only what they say, cites it, quotes where the model fails, and may be none."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage

from agent.chat.sources import SourcedAnswer, answer_from_sources
from agent.engine import Reply, Sampling
from agent.scripted import Line, ScriptedEngine
from memory.documents import RawDocument
from memory.embedding import HashingEmbedder
from memory.episodic.volatile import VolatileEpisodicMemory
from memory.hybrid import retrieve
from memory.library import ingest
from memory.semantic.volatile import VolatileSemanticMemory
from tests.support.cards import card

TABLE = """# Device limits

| Device | Maximum load | Voltage |
|---|---|---|
| Quorbin | 40 kilograms | 12 volts |
| Plenty | 55 kilograms | 24 volts |
"""
LAMPS = "A plimdor is a lamp that burns fish oil. It is kept in the harbour. It was invented in 1874."
LOAD = "What is the maximum load of the Quorbin?"
RUST = Path("examples/library/rust-ownership/ownership.md").read_text(encoding="utf-8")
EMBEDDER = HashingEmbedder()


async def answered(
    question: str,
    reply: str | Callable[[Sequence[BaseMessage]], Line | None],
    *texts: str,
    system: str = "",
    context: int = 2048,
) -> SourcedAnswer | None:
    """The answer over documents of these texts, by a model that always gives this reply."""
    episodic, semantic = VolatileEpisodicMemory(EMBEDDER), VolatileSemanticMemory()
    documents = [
        RawDocument(source=f"{n}.md", data=text.encode(), media_type="text/markdown", title=f"page {n}")
        for n, text in enumerate(texts)
    ]
    await ingest(documents, domain="lamps", episodic=episodic, semantic=semantic)
    found = await retrieve(question, episodic=episodic, semantic=semantic)
    engine = ScriptedEngine(reply if callable(reply) else lambda _: Line(text=reply))

    async def ask(prompt: Sequence[BaseMessage], sampling: Sampling) -> Reply:
        return await engine.chat(prompt, sampling=sampling)

    messages = [*([SystemMessage(system)] if system else []), HumanMessage(question)]
    return await answer_from_sources(
        question, messages, found, ask=ask, embedder=EMBEDDER, card=card(context=context)
    )


async def test_a_supported_reply_is_cited_to_its_sentence() -> None:
    answer = await answered("What is a plimdor?", "A plimdor is a lamp burning fish oil.", LAMPS)
    assert answer is not None
    assert not answer.quoted
    assert answer.text == "A plimdor is a lamp burning fish oil."
    (citation,) = answer.citations
    assert (
        citation.quote == LAMPS[citation.start : citation.end] == "A plimdor is a lamp that burns fish oil."
    )


async def test_a_table_is_answered_from_its_row() -> None:
    answer = await answered(LOAD, "The maximum load of the Quorbin is 40 kilograms.", TABLE)
    assert answer is not None
    assert [c.quote for c in answer.citations] == ["| Quorbin | 40 kilograms | 12 volts |"]


@pytest.mark.parametrize("reply", ["Quorbins are birds of Peru.", "I don't know.", "", "It is 55 kilograms."])
async def test_where_the_model_fails_to_say_it_the_sentence_is_quoted(reply: str) -> None:
    answer = await answered(LOAD, reply, TABLE)
    assert answer is not None
    assert answer.quoted
    assert "40 kilograms" in answer.text
    assert answer.citations[0].quote == "| Quorbin | 40 kilograms | 12 volts |"


async def test_a_statement_that_no_source_supports_is_cut() -> None:
    reply = "A plimdor is a lamp that burns fish oil. It was first sold in Norway by the Hansen brothers."
    answer = await answered("What is a plimdor?", reply, LAMPS)
    assert answer is not None
    assert answer.text == "A plimdor is a lamp that burns fish oil."


async def test_a_clause_that_no_source_supports_is_cut() -> None:
    reply = "A plimdor is a lamp that burns fish oil, which the Hansen brothers first sold in Norway."
    answer = await answered("What is a plimdor?", reply, LAMPS)
    assert answer is not None
    assert answer.text == "A plimdor is a lamp that burns fish oil."


@pytest.mark.parametrize(
    "question",
    ["Who invented the plimdor?", "How much does a zorbul cost?", "What is the capital of Telmark?"],
)
async def test_what_the_sources_do_not_say_is_not_answered(question: str) -> None:
    assert await answered(question, "A plimdor is a lamp.", LAMPS, TABLE) is None


async def test_the_system_prompt_reaches_the_model_and_its_words_are_kept() -> None:
    heard: list[BaseMessage] = []

    def banana(messages: Sequence[BaseMessage]) -> Line:
        heard.extend(messages)
        return Line(text="BANANA")

    answer = await answered(LOAD, banana, TABLE, system="Answer only with the word BANANA.")
    assert answer is not None
    assert answer.text == "BANANA"
    assert [m.type for m in heard] == ["system", "human"]
    assert "40 kilograms" in heard[-1].text
    assert LOAD in heard[-1].text


async def test_an_answer_in_the_language_of_the_system_prompt_is_cited() -> None:
    german = "Die maximale Traglast vom Quorbin ist 40 Kilogramm."
    answer = await answered(LOAD, german, TABLE, system="Answer in German.")
    assert answer is not None
    assert not answer.quoted
    assert answer.text == german
    assert [c.quote for c in answer.citations] == ["| Quorbin | 40 kilograms | 12 volts |"]


async def test_sources_that_contradict_each_other_are_both_quoted() -> None:
    answer = await answered(
        "How long is query history kept?",
        "It is kept for 91 days.",
        "Query history is kept for 91 days.",
        "By default, query history is kept for 365 days.",
    )
    assert answer is not None
    assert answer.contradiction
    assert "91 days" in answer.text
    assert "365 days" in answer.text
    assert {c.source for c in answer.citations} == {"0.md", "1.md"}


async def test_two_definitions_are_no_contradiction() -> None:
    answer = await answered(
        "What is a plimdor?",
        "A plimdor is a lamp that burns fish oil.",
        LAMPS,
        "A plimdor is a light of sailors.",
    )
    assert answer is not None
    assert not answer.contradiction


async def test_what_the_model_reads_fits_its_context() -> None:
    sizes: list[int] = []

    def measured(messages: Sequence[BaseMessage]) -> Line:
        sizes.append(len(messages[-1].text))
        return Line(text="A lamp that burns fish oil.")

    filler = " ".join(f"Lamp number {n} is painted green." for n in range(400))
    await answered("What is a plimdor?", measured, f"{LAMPS}\n\n{filler}", context=512)
    assert sizes
    assert sizes[0] < 512 * 3


async def test_a_question_is_answered_from_the_example_library() -> None:
    answer = await answered("What is a dangling reference?", "I do not know.", RUST)
    assert answer is not None
    assert "dangling reference" in answer.text.lower()
