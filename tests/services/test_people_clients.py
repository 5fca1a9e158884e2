"""The default model as `nightschool up` serves it, for what people put in front.

Open WebUI's prompts, LangChain's client and OpenAI's, and documents that are answered from.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
from langchain_openai import ChatOpenAI
from openai import OpenAI

from tests.support.models import default_model
from tests.support.stack import Stack, stack

pytestmark = [pytest.mark.services, pytest.mark.timeout(600)]

HISTORY = "### Chat History:\n<chat_history>\nUSER: What is a move?\nASSISTANT: A transfer.\n</chat_history>"
TASKS = (
    f"### Task:\nGenerate a concise, 3-5 word title with an emoji summarizing the chat history.\n{HISTORY}",
    f"### Task:\nGenerate 1-3 broad tags categorizing the main themes of the chat history.\n{HISTORY}",
    f"### Task:\nSuggest 3-5 relevant follow-up questions that the user might ask next.\n{HISTORY}",
    "### Task:\nRespond to the user query using the provided context.\n<context>\n"
    '<source id="1">The harbour of Telmark was dug in 1802 by Ada Quist.</source>\n</context>\n\n'
    "Who dug the harbour of Telmark?",
)
FERRY = (
    "# Island ferries\n\nThe ferry to Brimsay leaves the north pier at 8:30 every day except Sunday. "
    "Bicycles are carried without charge.\n"
)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with stack(
        tmp_path_factory.mktemp("people") / "home", NIGHTSCHOOL_MODEL=str(default_model().folder)
    ) as running:
        yield running


@pytest.fixture
def client(service: Stack) -> OpenAI:
    return OpenAI(base_url=f"{service.url}/v1", api_key="none", max_retries=0, timeout=120)


@pytest.fixture
def chat(service: Stack) -> ChatOpenAI:
    return ChatOpenAI(
        base_url=f"{service.url}/v1", api_key=lambda: "none", model="auto", max_retries=0, max_tokens=40
    )


@pytest.mark.parametrize("task", TASKS, ids=["title", "tags", "follow-ups", "context"])
def test_what_open_webui_asks_for_itself_is_answered_and_opens_no_gap(client: OpenAI, task: str) -> None:
    reply = client.chat.completions.create(
        model="auto", messages=[{"role": "user", "content": task}], max_tokens=40
    )
    assert reply.choices[0].message.content
    assert reply.model_extra is not None
    ours = reply.model_extra["nightschool"]
    assert (ours["intent"], ours["outcome"], ours["gap_id"]) == ("conversation", "answered", None)


def test_a_conversation_of_langchain_is_answered_whole_and_in_pieces(chat: ChatOpenAI) -> None:
    turns = [
        SystemMessage("You are a friendly assistant."),
        HumanMessage("Hello! My name is Ingrid."),
        AIMessage("Hello Ingrid, how can I help you?"),
        HumanMessage("Write one sentence about rain."),
    ]
    whole = chat.invoke(turns)
    assert str(whole.content).strip()
    assert "".join(str(piece.content) for piece in chat.stream(turns)).strip()


def test_a_document_is_answered_from_with_its_sentence_and_in_langchain_too(
    service: Stack, client: OpenAI, chat: ChatOpenAI, tmp_path: Path
) -> None:
    page = tmp_path / "ferries.md"
    page.write_text(FERRY, encoding="utf-8")
    done = service.run("ingest", str(page), "--domain", "ferries")
    assert done.returncode == 0, done.stderr
    question = "When does the ferry to Brimsay leave?"
    reply = client.chat.completions.create(model="auto", messages=[{"role": "user", "content": question}])
    assert "8:30" in str(reply.choices[0].message.content)
    assert reply.model_extra is not None
    assert any("8:30" in citation["quote"] for citation in reply.model_extra["nightschool"]["citations"])
    assert "8:30" in str(chat.invoke(question).content)
