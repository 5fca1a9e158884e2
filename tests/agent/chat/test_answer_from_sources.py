"""An answer from sources says only what they say, cites it, quotes where the model fails, and may be none."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage

from agent.chat.answer_from_sources import SourcedAnswer, answer_from_sources
from agent.engines.base import Reply, Sampling
from agent.engines.scripted import Line, ScriptedEngine
from agent.errors import PromptTooLong
from memory.embedding.embedder import HashingEmbedder
from memory.episodic.volatile import VolatileEpisodicMemory
from memory.ingest.documents import RawDocument
from memory.ingest.pipeline import ingest
from memory.records.access import EVERYTHING
from memory.retrieval.hybrid import retrieve
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
    before: Sequence[BaseMessage] = (),
    after: Sequence[BaseMessage] = (),
    max_tokens: int | None = None,
    reading: float | None = 1.0,
) -> SourcedAnswer | None:
    """The answer over documents of these texts, by a model that always gives this reply."""
    episodic, semantic = VolatileEpisodicMemory(EMBEDDER), VolatileSemanticMemory()
    documents = [
        RawDocument(source=f"{n}.md", data=text.encode(), media_type="text/markdown", title=f"page {n}")
        for n, text in enumerate(texts)
    ]
    await ingest(documents, domain="lamps", episodic=episodic, semantic=semantic)
    found = await retrieve(question, episodic=episodic, semantic=semantic, access=EVERYTHING)
    engine = ScriptedEngine(reply if callable(reply) else lambda _: Line(text=reply))

    async def ask(prompt: Sequence[BaseMessage], sampling: Sampling) -> Reply:
        return await engine.chat(prompt, sampling=sampling)

    instructions = [SystemMessage(system)] if system else []
    return await answer_from_sources(
        question,
        [*instructions, *before, HumanMessage(question), *after],
        found,
        ask=ask,
        embedder=EMBEDDER,
        card=card(context=context, reading=reading),
        max_tokens=max_tokens,
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


@pytest.mark.parametrize(("reading", "quoted"), [(None, True), (0.7, True), (0.95, False)])
async def test_only_a_model_that_reads_well_answers_in_its_own_words(
    reading: float | None, quoted: bool
) -> None:
    text = "At a meeting in Lerwick in 1755, Tolland laid out plans for the harbour."
    reply = "Tolland laid out plans in Lerwick at a meeting in 1755."
    answer = await answered("What did Tolland do?", reply, text, reading=reading)
    assert answer is not None
    assert answer.quoted is quoted
    assert (text if quoted else reply) in answer.text


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


class Listener:
    """A model that keeps what it was asked last."""

    def __init__(self, reply: str = "A plimdor is a lamp that burns fish oil.") -> None:
        self.heard: list[BaseMessage] = []
        self._reply = reply

    def __call__(self, messages: Sequence[BaseMessage]) -> Line:
        self.heard = list(messages)
        return Line(text=self._reply)

    @property
    def size(self) -> int:
        return sum(len(message.text) for message in self.heard)


def chatter(turns: int) -> list[BaseMessage]:
    return [
        message
        for n in range(turns)
        for message in (HumanMessage(f"Tell me story {n}. " * 9), AIMessage(f"Story {n} was long. " * 9))
    ]


async def test_the_oldest_messages_of_a_long_conversation_give_way_to_sources() -> None:
    model = Listener()
    answer = await answered("What is a plimdor?", model, LAMPS, before=chatter(60), system="Be kind.")
    assert answer is not None
    assert not answer.quoted
    assert model.size < 2048 * 3
    assert [message.type for message in model.heard[:2]] == ["system", "human"]
    assert model.heard[-2].text.startswith("Story 59")
    assert "burns fish oil" in model.heard[-1].text


async def test_a_short_conversation_stays_whole() -> None:
    model = Listener()
    before = [AIMessage("Welcome!"), *chatter(2)]
    await answered("What is a plimdor?", model, LAMPS, before=before)
    assert model.heard[:-1] == before


async def test_a_result_of_a_tool_never_stands_without_its_call() -> None:
    model = Listener()
    call = {"id": "1", "name": "search", "args": {"query": "tea " * 700}}
    before = [
        HumanMessage("Search for tea."),
        AIMessage("", tool_calls=[call]),
        ToolMessage("Tea is a drink.", tool_call_id="1"),
        AIMessage("Tea is a drink."),
    ]
    await answered("What is a plimdor?", model, LAMPS, before=before, context=1024)
    assert [message.type for message in model.heard] == ["human"]


async def test_a_system_prompt_that_leaves_no_room_is_answered_with_a_quotation() -> None:
    model = Listener()
    answer = await answered("What is a plimdor?", model, LAMPS, system="Be kind. " * 1000, context=2048)
    assert answer is not None
    assert answer.quoted
    assert "burns fish oil" in answer.text
    assert not model.heard


async def test_a_prompt_that_the_engine_finds_too_long_is_answered_with_a_quotation() -> None:
    def refused(_: Sequence[BaseMessage]) -> Line:
        raise PromptTooLong("the prompt has 9000 tokens")

    answer = await answered("What is a plimdor?", refused, LAMPS)
    assert answer is not None
    assert answer.quoted
    assert "burns fish oil" in answer.text


@pytest.mark.parametrize("text", ["\u8bdd" * 3000, "7" * 9000, "{}[]" * 2000])
async def test_scripts_and_digits_that_take_many_tokens_are_counted_so(text: str) -> None:
    model = Listener()
    await answered("What is a plimdor?", model, LAMPS, before=[HumanMessage(text), AIMessage("Yes.")])
    assert [message.type for message in model.heard] == ["human"]


async def test_the_question_need_not_be_the_last_message() -> None:
    model = Listener()
    await answered("What is a plimdor?", model, LAMPS, after=[AIMessage("A plimdor")])
    assert [message.type for message in model.heard] == ["human", "ai"]
    assert "burns fish oil" in model.heard[0].text
    assert model.heard[1].text == "A plimdor"


async def test_the_model_says_no_more_than_the_caller_wants() -> None:
    reply = "A plimdor is a lamp that burns fish oil. It is kept in the harbour."
    answer = await answered("What is a plimdor?", reply, LAMPS, max_tokens=9)
    assert answer is not None
    assert answer.text == "A plimdor is a lamp that burns fish oil."
    assert answer.reply is not None
    assert answer.reply.finish_reason == "length"


@pytest.mark.parametrize(
    ("system", "begins"),
    [
        ("Antworte auf Deutsch.", "Die Quellen widersprechen sich: \u201e"),
        ("R\u00e9ponds en fran\u00e7ais.", "Les sources se contredisent"),
        ("", "The sources disagree: \u201c"),
    ],
)
async def test_a_contradiction_is_told_in_the_language_of_the_reply(system: str, begins: str) -> None:
    kept = "Query history is kept for 91 days.", "By default, query history is kept for 365 days."
    answer = await answered("How long is query history kept?", "?", *kept, system=system)
    assert answer is not None
    assert answer.text.startswith(begins)


async def test_a_quotation_has_the_marks_of_the_language_of_the_reply() -> None:
    answer = await answered(LOAD, "", TABLE, system="Antworte auf Deutsch.")
    assert answer is not None
    assert answer.text.startswith("\u201eDevice: Quorbin")
    assert "\u201c (Device limits)" in answer.text


async def test_a_question_is_answered_from_the_example_library() -> None:
    answer = await answered("What is a dangling reference?", "I do not know.", RUST)
    assert answer is not None
    assert "dangling reference" in answer.text.lower()


CHINESE = "\u4f50\u5e03\u5c14\u706f\u662f\u4e00\u79cd\u71c3\u70e7\u9c7c\u6cb9\u7684\u706f\u3002"
"""A zuobuer lamp is a lamp that burns fish oil."""


@pytest.mark.parametrize("reply", [CHINESE, "I do not know."])
async def test_a_question_in_a_script_without_spaces_is_answered_from_its_source(reply: str) -> None:
    question = "\u4f50\u5e03\u5c14\u706f\u662f\u4ec0\u4e48\uff1f"  # What is a zuobuer lamp?
    above_the_door = "\u4f50\u5e03\u5c14\u706f\u6302\u5728\u95e8\u4e0a\u3002"
    answer = await answered(question, reply, f"# \u706f\u5177\n\n{CHINESE}{above_the_door}\n", LAMPS)
    assert answer is not None
    assert CHINESE in answer.text
    assert answer.citations[0].quote == CHINESE
