"""Alternatives: a second answer to a logged question, to be compared with the answer that was served.

They come from another adapter, from sampling at a temperature, or from a teacher model.
"""

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

import httpx
from langchain_core.messages import BaseMessage
from pydantic import SecretStr

from agent.chat.conversation import messages_from_pairs, prompt_messages
from agent.chat.model_calls import ask_model
from agent.chat.routing import Routes
from agent.engines.base import Engine, Sampling
from agent.errors import TeacherError
from agent.models.card import ModelCard
from memory.records.base import Record
from memory.records.feedback import AnnotationItem
from memory.records.interactions import Interaction, LoggedMessage

SERVED = "served"
SAMPLED = "sampled"
TEACHER = "teacher"
TEMPERATURE = 0.9
"""Of sampled alternatives: high enough that a small model's answers differ; a choice, not a measurement."""
ATTEMPTS = 4

Answerer = Callable[[Sequence[BaseMessage], int], Awaitable[str]]
"""Answers a conversation; the seed makes attempts differ."""


class Alternative(Record):
    """An answer other than the served one, and what gave it."""

    text: str
    source: str
    """`sampled`, `teacher`, or an adapter's name."""


async def find_alternative(
    interaction: Interaction, source: str, answer: Answerer, *, seed: int, attempts: int = ATTEMPTS
) -> Alternative | None:
    """An answer to the interaction's conversation that differs from the served one.

    None if no attempt gives one; spaces and case make no difference. Raises what `answer` raises.
    """
    messages = messages_from_pairs([(message.role, message.content) for message in conversation(interaction)])
    for attempt in range(attempts):
        text = (await answer(messages, seed + attempt)).strip()
        if text and not is_same_answer(text, interaction.answer):
            return Alternative(text=text, source=source)
    return None


def from_model(
    adapter: str | None,
    *,
    engine: Engine,
    routes: Routes,
    card: ModelCard,
    temperature: float = TEMPERATURE,
    max_tokens: int | None = None,
    greedy_first: int | None = None,
) -> Answerer:
    """Answers of the adapter, or of the base model for None, sampled at the temperature.

    `max_tokens` should be those of the served answer, so that the two are compared at the same limit. With
    the seed `greedy_first` the answer is the model's greedy one, which represents another variant
    best.
    """

    async def answer(messages: Sequence[BaseMessage], seed: int) -> str:
        greedy = seed == greedy_first
        sampling = Sampling(temperature=0.0 if greedy else temperature, seed=seed, max_tokens=max_tokens)
        prompt = prompt_messages(messages, card)
        reply = await ask_model(prompt, adapter, engine=engine, routes=routes, card=card, sampling=sampling)
        return reply.text

    return answer


class TeacherAnswers:
    """Answers of the model `name` at an OpenAI-compatible `url`; `timeout` is in seconds per reply."""

    def __init__(
        self, url: str, name: str, *, key: SecretStr, timeout: float, client: httpx.AsyncClient
    ) -> None:
        from langchain_openai import ChatOpenAI  # takes a second to import

        self._name = name
        self._model = ChatOpenAI(
            base_url=url,
            model=name,
            api_key=key,
            timeout=timeout,
            max_retries=2,
            http_async_client=client,
        )

    async def answer(self, messages: Sequence[BaseMessage], seed: int) -> str:
        """The teacher's answer; see Answerer. Raises TeacherError."""
        from openai import OpenAIError

        try:
            reply = await self._model.ainvoke(list(messages), seed=seed)
        except (OpenAIError, httpx.HTTPError, ValueError) as error:
            raise TeacherError(
                f"the teacher {self._name} failed: {error}; check NIGHTSCHOOL_TEACHER_URL, or use the"
                " alternative `sampled`"
            ) from error
        return str(reply.text)


def annotation_item(
    interaction: Interaction,
    alternative: Alternative,
    *,
    id: str,
    batch: str,
    annotators: int,
    priority: float,
    seed: int,
    now: datetime,
) -> AnnotationItem:
    """The item that compares the served answer with the alternative; a seeded draw picks the sides."""
    answers = [(interaction.answer, SERVED), (alternative.text, alternative.source)]
    if swaps_sides(seed, interaction.id):
        answers.reverse()
    (a, a_source), (b, b_source) = answers
    return AnnotationItem(
        id=id,
        batch=batch,
        interaction_id=interaction.id,
        domain=interaction.domain,
        messages=conversation(interaction),
        a=a,
        b=b,
        a_source=a_source,
        b_source=b_source,
        annotators=annotators,
        priority=priority,
        created_at=now,
    )


def swaps_sides(seed: int, name: str) -> bool:
    """A fair draw that depends on the seed and the name alone."""
    return bool(hashlib.sha256(f"{seed}|sides|{name}".encode()).digest()[0] & 1)


def conversation(interaction: Interaction) -> tuple[LoggedMessage, ...]:
    """The logged messages, or the question alone if there are none."""
    return interaction.messages or (LoggedMessage(role="user", content=interaction.question),)


def is_same_answer(one: str, other: str) -> bool:
    """Whether two answers differ in spaces and case at most."""
    return " ".join(one.split()).casefold() == " ".join(other.split()).casefold()
