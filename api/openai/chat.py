"""Chat completions: whole, or as a stream that begins once the gate has decided."""

from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Request
from pydantic import BaseModel
from sse_starlette import EventSourceResponse, ServerSentEvent

from agent.concurrency import gather_limited
from agent.errors import AgentError
from api.compose import Service, ServiceDep
from api.disconnect import cancel_on_disconnect, in_own_task
from api.errors import error_reply, openai_errors
from api.limits import reject_nul
from api.openai.messages import conversation
from api.openai.replies import Chunk, Completion, Envelope
from api.openai.requests import UNIT_CHARACTERS, ChatRequest
from graphs.chat import chat, initial_state, stream
from graphs.state import ChatState
from graphs.turn import Piece, Turn
from memory.errors import StorageError

router = APIRouter(tags=["chat"], dependencies=[Depends(reject_nul)])

PING_SECONDS = 15
ConversationHeader = Annotated[str | None, Header(max_length=UNIT_CHARACTERS)]


@router.post(
    "/v1/chat/completions",
    response_model=Completion,
    responses=openai_errors(400, 404, 409, 413, 422, 500, 503)
    | {200: {"content": {"text/event-stream": {}}}},
)
async def complete(
    request: ChatRequest, http: Request, service: ServiceDep, x_conversation_id: ConversationHeader = None
) -> Completion | EventSourceResponse:
    """Answers the conversation's last message; a question directly, from sources with citations, or not."""
    envelope = Envelope.of(
        base=service.runtime.base_name,
        now=service.runtime.clock(),
        scored=bool(request.logprobs),
        usage=request.stream_options is not None and request.stream_options.include_usage,
    )
    starts = list(_starts(request, x_conversation_id))
    if not request.stream:
        turns = gather_limited(
            (partial(chat, service.chat, service.runtime, start) for start in starts), len(starts)
        )
        return envelope.completion(await cancel_on_disconnect(http, turns))
    first = in_own_task(stream(service.chat, service.runtime, starts[0]))
    part = await cancel_on_disconnect(http, anext(first))  # what is refused still has a status of its own
    return EventSourceResponse(
        _events(part, first, starts[1:], service, envelope), ping=PING_SECONDS, sep="\n"
    )


def _starts(request: ChatRequest, conversation_id: str | None) -> Iterator[ChatState]:
    """One turn for each choice; each draws with a seed of its own."""
    messages, sampling = conversation(request.messages), request.sampling
    for choice in range(request.n or 1):
        yield initial_state(
            messages,
            requested=request.model,
            sampling=sampling.model_copy(update={"seed": _seed(sampling.seed + choice)}),
            unit=request.unit(conversation_id),
            streamed=bool(request.stream),
            unsure=request.nightschool.unsure if request.nightschool else None,
        )


def _seed(number: int) -> int:
    """The number as a signed 64-bit seed: the one after the largest is the smallest."""
    return (number + 2**63) % 2**64 - 2**63


async def _events(
    part: Piece | Turn,
    rest: AsyncGenerator[Piece | Turn, None],
    others: list[ChatState],
    service: Service,
    envelope: Envelope,
) -> AsyncGenerator[ServerSentEvent, None]:
    """All choices, one after the other, then the usage and `[DONE]`; or an error in their middle."""
    turns: list[Turn] = []
    try:
        async with aclosing(rest):
            async for chunk in _choice(part, rest, envelope, turns):
                yield event(chunk)
        for start in others:
            async with aclosing(stream(service.chat, service.runtime, start)) as parts:
                async for chunk in _choice(await anext(parts), parts, envelope, turns):
                    yield event(chunk)
    except (AgentError, StorageError) as error:
        yield ServerSentEvent(error_reply(error)[1].model_dump_json(), sep="\n")
        return
    if envelope.usage:
        yield event(envelope.accounting(turns))
    yield ServerSentEvent("[DONE]", sep="\n")


async def _choice(
    part: Piece | Turn, rest: AsyncGenerator[Piece | Turn, None], envelope: Envelope, turns: list[Turn]
) -> AsyncGenerator[Chunk, None]:
    """The chunks of one choice; its turn is added to `turns`, whose length is its index."""
    index = len(turns)
    yield envelope.opening(part, index)
    if isinstance(part, Turn):  # nothing was said yet: the gate let no beginning through
        yield envelope.text(part, index)
    while isinstance(part, Piece):
        yield envelope.text(part, index)
        part = await anext(rest)
    turns.append(part)
    yield envelope.ending(part, index)


def event(chunk: BaseModel) -> ServerSentEvent:
    """A chunk as an event, without our own object where it is empty."""
    unset = {"nightschool"} if getattr(chunk, "nightschool", ()) is None else set[str]()
    return ServerSentEvent(chunk.model_dump_json(exclude=unset), sep="\n")
