"""A server in the engine's place that misbehaves, in one way at a time; see WAYS."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

ANSWER = "a small primate with a long tail that lives in trees and eats leaves, fruit and now and then a bird"
PAGE = "<html><body><h1>502 Bad Gateway</h1></body></html>"
ENDLESS = 3 << 20
WAYS = (
    "invalid JSON", "JSON of something else", "HTML page", "HTML page with 502", "HTML page with 400",
    "too busy", "failed on this request", "bytes that are no text", "nothing", "hangs", "broken off",
    "broken off inside an event", "connection lost", "error event", "hangs in the middle", "endless line",
)  # fmt: skip
"""How it answers; the ways after `hangs` begin with a good part, if the answer is streamed."""
MIDDLE = WAYS[WAYS.index("hangs") + 1 :]


class BadUpstream:
    """Answers chats and completions in its `way`, which may be `well`; lists its model as it should."""

    def __init__(self, way: str) -> None:
        self.way = way
        self.url = ""
        self.asked = 0
        """Requests for an answer."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection with one request."""
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = next(
                (
                    int(line.partition(":")[2])
                    for line in head.lower().split("\r\n")
                    if line.startswith("content-length")
                ),
                0,
            )
            body = await reader.readexactly(length)
            if head.startswith("GET /v1/models"):
                listed = {"data": [{"id": "nightschool", "root": "/nowhere", "parent": None}]}
                writer.write(_reply(json.dumps(listed)))
            else:
                self.asked += 1
                await self._answer(writer, json.loads(body), chat="/chat/" in head.partition("\r\n")[0])
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client left
        finally:
            writer.close()

    async def _answer(self, writer: asyncio.StreamWriter, body: dict[str, object], *, chat: bool) -> None:
        events = list(map(_event, _chunks(chat=chat)))
        whole = json.dumps(_whole())
        streamed = bool(body.get("stream"))
        match self.way:
            case "well":
                writer.write(_stream(*events, b"data: [DONE]\n\n") if streamed else _reply(whole))
            case "invalid JSON":
                writer.write(_stream(b"data: }{\n\n") if streamed else _reply("}{"))
            case "JSON of something else":
                writer.write(_stream(b"data: [1]\n\n") if streamed else _reply('{"ok": true}'))
            case "HTML page":
                writer.write(_reply(PAGE, kind="text/html"))
            case "HTML page with 502":
                writer.write(_reply(PAGE, kind="text/html", status="502 Bad Gateway"))
            case "HTML page with 400":
                writer.write(_reply(PAGE, kind="text/html", status="400 Bad Request"))
            case "too busy":
                writer.write(_reply('{"error": {"message": "slow down"}}', status="429 Too Many Requests"))
            case "failed on this request":
                failure = {"error": {"message": "Internal server error", "code": 500}}
                writer.write(_reply(json.dumps(failure), status="500 Internal Server Error"))
            case "bytes that are no text":
                writer.write(_reply(b"\xff\xfe\x00\x81", status="500 Internal Server Error"))
            case "nothing":
                pass
            case "hangs":
                await asyncio.sleep(60)
            case "broken off":
                writer.write(_stream(*events[:-1]) if streamed else _reply(whole[:40]))
            case "broken off inside an event":
                writer.write(_stream(*events[:-1], events[-1][:25]) if streamed else _reply(whole[:-1]))
            case "connection lost":
                writer.write(_chunked(*events[:-1]) if streamed else _reply(whole, length=len(whole) + 9))
            case "error event":
                failure = {"error": {"message": "EngineCore died", "code": 500}}
                writer.write(
                    _stream(*events[:-1], _event(failure)) if streamed else _reply(json.dumps(failure))
                )
            case "hangs in the middle":
                writer.write(_stream(*events[:-1]) if streamed else _reply(whole[:40], length=len(whole)))
                await writer.drain()
                await asyncio.sleep(60)
            case "endless line":
                long = b"data: " + b"x" * ENDLESS
                writer.write(_stream(*events[:-1], long) if streamed else _reply("x" * ENDLESS))


@asynccontextmanager
async def upstream(way: str) -> AsyncIterator[BadUpstream]:
    """The server, on a free port of loopback."""
    bad = BadUpstream(way)
    serving: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving.add(task)
        task.add_done_callback(serving.discard)
        await bad.serve(reader, writer)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    bad.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield bad
    finally:
        server.close()
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)


def _scored(word: str) -> dict[str, object]:
    others = [{"token": f" other{n}", "logprob": -12.0} for n in range(19)]
    return {"token": word, "logprob": -0.001, "top_logprobs": [{"token": word, "logprob": -0.001}, *others]}


def _words() -> list[str]:
    first, *rest = ANSWER.split()
    return [first, *(f" {word}" for word in rest)]


def _whole() -> dict[str, object]:
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": ANSWER},
        "logprobs": {"content": [_scored(word) for word in _words()]},
        "finish_reason": "stop",
    }
    return {"choices": [choice], "usage": {"prompt_tokens": 3, "completion_tokens": len(_words())}}


def _chunks(*, chat: bool) -> list[dict[str, object]]:
    words = _words()
    kind: Callable[[str], dict[str, object]] = _chat_piece if chat else _text_piece
    return [
        {"choices": [{"index": 0, **kind(word), "finish_reason": "stop" if word is words[-1] else None}]}
        for word in words
    ]


def _chat_piece(word: str) -> dict[str, object]:
    return {"delta": {"content": word}, "logprobs": {"content": [_scored(word)]}}


def _text_piece(word: str) -> dict[str, object]:
    top = {word: -0.001}
    return {"text": word, "logprobs": {"tokens": [word], "token_logprobs": [-0.001], "top_logprobs": [top]}}


def _event(body: object) -> bytes:
    return f"data: {json.dumps(body)}\n\n".encode()


def _head(status: str, *lines: str) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", "connection: close", *lines, "", ""]).encode()


def _reply(
    body: str | bytes, *, kind: str = "application/json", status: str = "200 OK", length: int | None = None
) -> bytes:
    data = body.encode() if isinstance(body, str) else body
    size = len(data) if length is None else length
    return _head(status, f"content-type: {kind}", f"content-length: {size}") + data


def _stream(*events: bytes) -> bytes:
    """A stream that is over when the connection is."""
    return _head("200 OK", "content-type: text/event-stream") + b"".join(events)


def _chunked(*events: bytes) -> bytes:
    """A stream whose last chunk is missing."""
    chunks = [b"%x\r\n%s\r\n" % (len(event), event) for event in events]
    head = _head("200 OK", "content-type: text/event-stream", "transfer-encoding: chunked")
    return head + b"".join(chunks)
