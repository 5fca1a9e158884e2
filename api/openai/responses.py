"""The responses route: the same chat turns as chat completions, in OpenAI's newer format."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from fastapi import APIRouter, Depends, Request
from sse_starlette import EventSourceResponse, JSONServerSentEvent

from agent.errors import AgentError
from api.auth import CallerDep
from api.compose import ServiceDep
from api.disconnect import cancel_on_disconnect, in_own_task
from api.errors import openai_errors, stream_error
from api.limits import reject_nul
from api.openai.chat import PING_SECONDS, ConversationHeader
from api.openai.messages import to_graph_messages
from api.openai.requests import usable
from api.openai.response_items import (
    OutputMessage,
    OutputText,
    Response,
    ResponsesRequest,
    finished_response,
    message_id,
    started_response,
)
from graphs.chat import chat, initial_state, stream
from graphs.turn import Piece, Turn
from memory.errors import StorageError

router = APIRouter(tags=["chat"], dependencies=[Depends(reject_nul)])


@router.post(
    "/v1/responses",
    response_model=Response,
    responses=openai_errors(400, 404, 409, 413, 422, 500, 503)
    | {200: {"content": {"text/event-stream": {}}}},
)
async def respond(
    request: ResponsesRequest,
    http: Request,
    service: ServiceDep,
    caller: CallerDep,
    x_conversation_id: ConversationHeader = None,
) -> Response | EventSourceResponse:
    """Answers like chat completions, in the Responses format. Each request has the whole conversation."""
    chat_request, runtime = request.chat(), await service.runtime.for_owner(caller.owner)
    sampling, ignored = usable(chat_request.sampling, runtime.card.template)
    start = initial_state(
        to_graph_messages(chat_request.messages),
        requested=chat_request.model,
        sampling=sampling,
        unit=chat_request.unit(x_conversation_id),
        streamed=bool(chat_request.stream),
        unsure=chat_request.nightschool.unsure if chat_request.nightschool else None,
        store=chat_request.store is not False,
    )
    created_at = int(runtime.clock().timestamp())
    if not request.stream:
        turn = await cancel_on_disconnect(http, chat(service.chat, runtime, start))
        empty = started_response(request, id=_id(turn.id), model=runtime.base_name, created_at=created_at)
        return finished_response(empty, turn, ignored)
    parts = in_own_task(stream(service.chat, runtime, start))
    part = await cancel_on_disconnect(http, anext(parts))
    id = part.turn_id if isinstance(part, Piece) else part.id
    empty = started_response(request, id=_id(id), model=runtime.base_name, created_at=created_at)
    return EventSourceResponse(_events(part, parts, id, empty, ignored), ping=PING_SECONDS, sep="\n")


async def _events(
    part: Piece | Turn,
    rest: AsyncGenerator[Piece | Turn, None],
    id: str,
    empty: Response,
    ignored: tuple[str, ...],
) -> AsyncGenerator[JSONServerSentEvent, None]:
    """The events of one response, numbered, in OpenAI's order."""
    number = -1

    def event(kind: str, **fields: Any) -> JSONServerSentEvent:
        nonlocal number
        number += 1
        return JSONServerSentEvent({"type": kind, "sequence_number": number, **fields}, event=kind, sep="\n")

    started = empty.model_dump(mode="json")
    yield event("response.created", response=started)
    yield event("response.in_progress", response=started)
    item = message_id(id)
    location: dict[str, Any] = {"item_id": item, "output_index": 0, "content_index": 0}
    opened = False
    async with aclosing(rest):
        try:
            while isinstance(part, Piece):
                if not opened:
                    for opening in _opening(event, item, location):
                        yield opening
                delta = "".join(token.text for token in part.tokens)
                opened = True
                yield event("response.output_text.delta", **location, delta=delta, logprobs=[])
                part = await anext(rest)
        except (AgentError, StorageError) as error:
            problem = stream_error(error).error
            yield event("error", code=problem.code, message=problem.message, param=None)
            return
    response = finished_response(empty, part, ignored)
    for index, output in enumerate(response.output):
        whole = output.model_dump(mode="json")
        if isinstance(output, OutputMessage):
            if not opened:  # no piece was streamed, so the whole answer is one delta
                for opening in _opening(event, item, location):
                    yield opening
                yield event("response.output_text.delta", **location, delta=part.answer, logprobs=[])
            yield event("response.output_text.done", **location, text=part.answer, logprobs=[])
            yield event("response.content_part.done", **location, part=whole["content"][0])
        else:
            call = {"item_id": output.id, "output_index": index}
            started_call = whole | {"arguments": "", "status": "in_progress"}
            yield event("response.output_item.added", output_index=index, item=started_call)
            yield event("response.function_call_arguments.delta", **call, delta=output.arguments)
            yield event(
                "response.function_call_arguments.done",
                **call,
                name=output.name,
                arguments=output.arguments,
            )
        yield event("response.output_item.done", output_index=index, item=whole)
    kind = "response.completed" if response.status == "completed" else "response.incomplete"
    yield event(kind, response=response.model_dump(mode="json"))


def _opening(event: Any, item: str, location: dict[str, Any]) -> list[JSONServerSentEvent]:
    message = OutputMessage(id=item, status="in_progress", content=[]).model_dump(mode="json")
    part = OutputText(text="").model_dump(mode="json")
    return [
        event("response.output_item.added", output_index=0, item=message),
        event("response.content_part.added", **location, part=part),
    ]


def _id(turn_id: str) -> str:
    return f"resp_{turn_id}"
