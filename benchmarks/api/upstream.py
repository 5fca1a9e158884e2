"""A stub of an engine: a server with vLLM's replies that answers everything at once.

    python -m benchmarks.api.upstream PORT MODEL_FOLDER

No model is behind it, so that what a benchmark measures is what stands in front of it.
"""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import uvicorn

MODEL = "nightschool"
WORDS = ("a", " small", " primate")
PEAK = -0.001
"""Log-probability of each word; the nineteen others share what is left, so that the gate is sure."""
REST = -12.0

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


def scored(word: str) -> dict[str, Any]:
    """A token as vLLM scores it, with twenty alternatives."""
    others = [{"token": f" other{n}", "logprob": REST, "bytes": None} for n in range(19)]
    return {
        "token": word,
        "logprob": PEAK,
        "bytes": None,
        "top_logprobs": [{"token": word, "logprob": PEAK, "bytes": None}, *others],
    }


USAGE = {"prompt_tokens": 8, "completion_tokens": len(WORDS), "total_tokens": 8 + len(WORDS)}
WHOLE = json.dumps(
    {
        "id": "stub",
        "object": "chat.completion",
        "created": 0,
        "model": MODEL,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "".join(WORDS)},
                "logprobs": {"content": [scored(word) for word in WORDS]},
                "finish_reason": "stop",
            }
        ],
        "usage": USAGE,
    }
).encode()


def _chunk(**parts: Any) -> bytes:
    body = {
        "id": "stub",
        "object": "chat.completion.chunk",
        "created": 0,
        "model": MODEL,
        "choices": [],
    } | parts
    return b"data: " + json.dumps(body).encode() + b"\n\n"


CHUNKS = [
    *(
        _chunk(
            choices=[
                {
                    "index": 0,
                    "delta": {"role": "assistant", "content": word},
                    "logprobs": {"content": [scored(word)]},
                    "finish_reason": "stop" if word == WORDS[-1] else None,
                }
            ]
        )
        for word in WORDS
    ),
    _chunk(usage=USAGE),
    b"data: [DONE]\n\n",
]


class Upstream:
    """The ASGI app."""

    def __init__(self, folder: str) -> None:
        card = {
            "id": MODEL,
            "object": "model",
            "created": 0,
            "owned_by": "stub",
            "root": folder,
            "parent": None,
        }
        self._models = json.dumps({"object": "list", "data": [card]}).encode()

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _live(receive, send)
            return
        body = b""
        while (message := await receive()).get("more_body") or not body:
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        if scope["path"] != "/v1/chat/completions":
            await _answer(send, self._models if scope["path"] == "/v1/models" else b"{}")
        elif json.loads(body).get("stream"):
            await send(
                {
                    "type": "http.response.start",
                    "status": 200,
                    "headers": [(b"content-type", b"text/event-stream")],
                }
            )
            for chunk in CHUNKS:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        else:
            await _answer(send, WHOLE)


async def _live(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": message["type"] + ".complete"})
        if message["type"] == "lifespan.shutdown":
            return


async def _answer(send: Send, body: bytes) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


if __name__ == "__main__":
    app: Any = Upstream(sys.argv[2])
    server = uvicorn.Server(uvicorn.Config(app, port=int(sys.argv[1]), log_level="error", access_log=False))
    asyncio.run(server.serve())
