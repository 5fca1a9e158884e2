"""A stub engine: a server that replies like vLLM, with a fixed answer and no model.

    python -m benchmarks.api.upstream PORT MODEL_FOLDER

It answers at once, so benchmarks with it measure the api alone.
"""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import uvicorn

MODEL = "nightschool"
WORDS = ("a", " small", " primate")
WORD_LOGPROB = -0.001
"""High enough to pass the gate."""
OTHER_LOGPROB = -12.0
"""Of each of the nineteen alternatives."""

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


def token_logprobs(word: str) -> dict[str, Any]:
    """A token with its log-probability and twenty alternatives, in vLLM's format."""
    others = [{"token": f" other{n}", "logprob": OTHER_LOGPROB, "bytes": None} for n in range(19)]
    return {
        "token": word,
        "logprob": WORD_LOGPROB,
        "bytes": None,
        "top_logprobs": [{"token": word, "logprob": WORD_LOGPROB, "bytes": None}, *others],
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
                "logprobs": {"content": [token_logprobs(word) for word in WORDS]},
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
                    "logprobs": {"content": [token_logprobs(word)]},
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
    """The ASGI app of the stub engine."""

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
            await _lifespan(receive, send)
            return
        body = b""
        while (message := await receive()).get("more_body") or not body:
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        if scope["path"] != "/v1/chat/completions":
            await _reply(send, self._models if scope["path"] == "/v1/models" else b"{}")
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
            await _reply(send, WHOLE)


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": message["type"] + ".complete"})
        if message["type"] == "lifespan.shutdown":
            return


async def _reply(send: Send, body: bytes) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


if __name__ == "__main__":
    app: Any = Upstream(sys.argv[2])
    server = uvicorn.Server(uvicorn.Config(app, port=int(sys.argv[1]), log_level="error", access_log=False))
    asyncio.run(server.serve())
