"""Owns the route of chat completions: whole, or as a stream that begins once the gate has decided.

Decides nothing about an answer; the chat graph does. A client that goes away ends the work.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated

from fastapi import APIRouter, Header, Request
from sse_starlette import EventSourceResponse, ServerSentEvent

from agent.chat.conversation import conversation
from agent.errors import AgentError
from api.compose import Given
from api.errors import explain, refusals
from api.leaving import drawn, unless_gone
from api.openai.replies import Chunk, Completion, Envelope
from api.openai.requests import UNIT_CHARACTERS, ChatRequest
from graphs.chat import begun, chat, stream
from graphs.turn import Piece, Turn
from memory.errors import StorageError

router = APIRouter(tags=["chat"])

PING_SECONDS = 15
ConversationHeader = Annotated[str | None, Header(max_length=UNIT_CHARACTERS)]


@router.post(
    "/v1/chat/completions",
    response_model=Completion,
    responses=refusals(400, 404, 409, 413, 422, 500, 503) | {200: {"content": {"text/event-stream": {}}}},
)
async def complete(
    request: ChatRequest, http: Request, given: Given, x_conversation_id: ConversationHeader = None
) -> Completion | EventSourceResponse:
    """Answers the conversation's last question: directly, from sources with citations, or not at all."""
    runtime = given.runtime
    envelope = Envelope.of(
        base=runtime.base_name,
        now=runtime.clock(),
        scored=bool(request.logprobs),
        usage=request.stream_options is not None and request.stream_options.include_usage,
    )
    start = begun(
        conversation(request.conversation),
        requested=request.model,
        sampling=request.sampling,
        unit=request.unit(x_conversation_id),
        streamed=bool(request.stream),
        unsure=request.nightschool.unsure if request.nightschool else None,
    )
    if not request.stream:
        return envelope.completion(await unless_gone(http, chat(given.chat, runtime, start)))
    parts = drawn(stream(given.chat, runtime, start))
    first = await unless_gone(http, anext(parts))  # what is refused still has a status of its own
    return EventSourceResponse(_events(first, parts, envelope), ping=PING_SECONDS, sep="\n")


async def _events(
    part: Piece | Turn, rest: AsyncGenerator[Piece | Turn, None], envelope: Envelope
) -> AsyncGenerator[ServerSentEvent, None]:
    """The stream of one turn: an opening, its pieces, its figures, `[DONE]`; or an error in its middle."""
    async with aclosing(rest):
        yield _event(envelope.opening(part))
        if isinstance(part, Turn):  # nothing was said yet: the gate let no beginning through
            yield _event(envelope.text(part))
        try:
            while isinstance(part, Piece):
                yield _event(envelope.text(part))
                part = await anext(rest)
        except (AgentError, StorageError) as error:
            yield ServerSentEvent(explain(error)[1].model_dump_json(), sep="\n")
            return
    for chunk in envelope.closing(part):
        yield _event(chunk)
    yield ServerSentEvent("[DONE]", sep="\n")


def _event(chunk: Chunk) -> ServerSentEvent:
    unset = {"nightschool"} if chunk.nightschool is None else set[str]()
    return ServerSentEvent(chunk.model_dump_json(exclude=unset), sep="\n")
