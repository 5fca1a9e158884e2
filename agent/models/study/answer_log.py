"""Asks a model many prompts concurrently and logs every answer, so that an interrupted study can resume."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage
from pydantic import ValidationError
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_exponential

from agent.chat.thinking import Marks, without_thinking
from agent.concurrency import gather_limited
from agent.engines.base import Engine, Sampling, Token
from agent.errors import EngineUnavailable
from agent.models.card import PromptMessage
from memory.records.base import Digest, Record, digest_of

CONCURRENCY = 64
"""Concurrent requests: the size of the server's batch."""


ATTEMPTS = 4


class StudyPrompt(Record):
    """A conversation to answer greedily in at most `max_tokens` tokens."""

    messages: tuple[PromptMessage, ...]
    max_tokens: int
    top_logprobs: int = 0
    """Alternatives to log with each token."""

    @property
    def digest(self) -> Digest:
        """Identifies the prompt in the log."""
        return digest_of(self.model_dump(mode="json", exclude_defaults=True))


class LoggedAnswer(Record):
    """A model's answer with its token scores."""

    prompt: Digest
    text: str
    tokens: tuple[Token, ...]
    finished: bool
    """Whether the model ended it, rather than the token limit."""


class AnswerLog:
    """A file of answers, one JSON line each; an interrupted study reads it to resume."""

    def __init__(self, path: Path | None = None) -> None:
        """Without a path, answers are kept in memory only."""
        self._path = path
        self._answers: dict[Digest, LoggedAnswer] = {}
        if path is not None and path.exists():
            for line in path.read_text(encoding="utf-8").split("\n"):  # JSON may hold other separators
                try:
                    answer = LoggedAnswer.model_validate_json(line)
                except ValidationError:  # a line cut off by an interruption
                    continue
                self._answers[answer.prompt] = answer
            path.write_text("".join(a.model_dump_json() + "\n" for a in self._answers.values()), "utf-8")

    def __len__(self) -> int:
        return len(self._answers)

    def get(self, prompt: StudyPrompt) -> LoggedAnswer | None:
        """The logged answer to this prompt, if any."""
        return self._answers.get(prompt.digest)

    def add(self, answer: LoggedAnswer) -> None:
        """Logs an answer."""
        self._answers[answer.prompt] = answer
        if self._path is not None:
            with self._path.open("a", encoding="utf-8") as lines:
                lines.write(answer.model_dump_json() + "\n")


def question_prompt(text: str, max_tokens: int) -> StudyPrompt:
    """A prompt of a single question."""
    return StudyPrompt(messages=(PromptMessage(role="user", content=text),), max_tokens=max_tokens)


async def ask_all(
    engine: Engine,
    prompts: Sequence[StudyPrompt],
    log: AnswerLog,
    *,
    thinking: Marks | None = None,
    step: Callable[[], object] = lambda: None,
) -> list[LoggedAnswer]:
    """The answers to all prompts, in order, without thinking text; `step` is called after each.

    Retries lost connections, because greedy answers are repeatable. Raises what `Engine.chat` raises.
    """

    async def answer_one(prompt: StudyPrompt) -> LoggedAnswer:
        answer = log.get(prompt)
        if answer is None:
            answer = await _answer(engine, prompt, thinking)
            log.add(answer)
        step()
        return answer

    return await gather_limited((partial(answer_one, prompt) for prompt in prompts), CONCURRENCY)


async def _answer(engine: Engine, prompt: StudyPrompt, thinking: Marks | None) -> LoggedAnswer:
    sampling = Sampling(max_tokens=prompt.max_tokens, top_logprobs=prompt.top_logprobs)
    async for attempt in AsyncRetrying(
        retry=retry_if_exception_type(EngineUnavailable),
        stop=stop_after_attempt(ATTEMPTS),
        wait=wait_exponential(multiplier=0.2, max=2.0),
        reraise=True,
    ):
        with attempt:
            reply = await engine.chat(to_messages(prompt.messages), sampling=sampling)
    reply = without_thinking(reply, thinking)
    return LoggedAnswer(
        prompt=prompt.digest,
        text=reply.text,
        tokens=reply.tokens,
        finished=reply.finish_reason != "length",
    )


def to_messages(turns: Sequence[PromptMessage]) -> list[BaseMessage]:
    """The turns as LangChain messages."""
    message_types = {"system": SystemMessage, "user": HumanMessage, "assistant": AIMessage}
    return [message_types[turn.role](turn.content) for turn in turns]
