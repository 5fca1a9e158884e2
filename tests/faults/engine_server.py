"""The engine's stand-in: an HTTP server that speaks like vLLM's, over a scripted engine and its adapters."""

import asyncio
import json
import math
from pathlib import Path
from typing import Any

from aiohttp import web
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage

from agent.engines.base import Reply, Sampling, Token
from agent.errors import AdapterNotLoaded, AdapterRefused
from tests.faults.perfect_student import AdapterEngine

BASE = "nightschool"
SURE, UNSURE = 0.5, 3.0
"""Entropies between which the stand-in has no answers: it reports few or many likely alternatives."""
MESSAGES = {"user": HumanMessage, "assistant": AIMessage, "system": SystemMessage}


class EngineServer:
    """Routes of the stand-in, each over the engine."""

    def __init__(self, engine: AdapterEngine, folder: Path, pause: float = 0.0) -> None:
        """`folder` is the base model's; `pause` is the time before each streamed token, in seconds."""
        self._engine = engine
        self._folder = folder
        self._pause = pause
        self._paths: dict[str, str] = {}

    def app(self) -> web.Application:
        """The server's application."""
        app = web.Application(client_max_size=1 << 26)
        app.add_routes(
            [
                web.get("/health", self._health),
                web.get("/v1/models", self._models),
                web.post("/v1/chat/completions", self._chat),
                web.post("/v1/completions", self._score),
                web.post("/tokenize", self._tokenize),
                web.post("/v1/load_lora_adapter", self._load),
                web.post("/v1/unload_lora_adapter", self._unload),
            ]
        )
        return app

    async def _health(self, _: web.Request) -> web.Response:
        return web.Response()

    async def _models(self, _: web.Request) -> web.Response:
        base = {"id": BASE, "root": str(self._folder), "parent": None}
        loaded = await self._engine.loaded()
        adapters = [{"id": name, "root": self._paths[name], "parent": BASE} for name in loaded]
        return web.json_response({"object": "list", "data": [base, *adapters]})

    async def _load(self, request: web.Request) -> web.Response:
        body = await request.json()
        try:
            await self._engine.load(body["lora_name"], Path(body["lora_path"]))
        except (AdapterRefused, OSError) as error:
            return web.json_response(
                {"error": {"message": f"Call to add_lora method failed: {error}"}}, status=500
            )
        self._paths[body["lora_name"]] = body["lora_path"]
        return web.Response(text="loaded")

    async def _unload(self, request: web.Request) -> web.Response:
        try:
            await self._engine.unload((await request.json())["lora_name"])
        except AdapterNotLoaded as error:
            return web.json_response({"error": {"message": str(error)}}, status=404)
        return web.Response(text="unloaded")

    async def _tokenize(self, request: web.Request) -> web.Response:
        body = await request.json()
        text = body.get("prompt") or " ".join(str(message["content"]) for message in body["messages"])
        return web.json_response({"tokens": list(range(len(text.split()))), "max_model_len": 4096})

    async def _score(self, request: web.Request) -> web.Response:
        """Scores of whole texts: each token is likely, which is all that the service's checks need."""
        prompts = (await request.json())["prompt"]
        texts = [prompts] if prompts and isinstance(prompts[0], int) else prompts
        choices = [
            {
                "index": index,
                "text": "",
                "logprobs": {"tokens": ["t"] * len(text), "token_logprobs": [-0.1] * len(text)},
            }
            for index, text in enumerate(texts)
        ]
        return web.json_response({"choices": choices})

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        adapter = None if body["model"] == BASE else body["model"]
        messages = [_message(each) for each in body["messages"]]
        sampling = Sampling(max_tokens=body.get("max_tokens"), stop=tuple(body.get("stop") or ()))
        try:
            reply = await self._engine.chat(messages, adapter=adapter, sampling=sampling)
        except AdapterNotLoaded as error:
            return web.json_response({"error": {"message": str(error)}}, status=404)
        if not body.get("stream"):
            choice = {
                "index": 0,
                "message": {"role": "assistant", "content": reply.text},
                "logprobs": {"content": [_scored(token) for token in reply.tokens]},
                "finish_reason": reply.finish_reason,
            }
            return web.json_response({"choices": [choice], "usage": _usage(reply)})
        return await self._stream(request, reply)

    async def _stream(self, request: web.Request, reply: Reply) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        for token in reply.tokens:
            await asyncio.sleep(self._pause)
            choice = {
                "index": 0,
                "delta": {"content": token.text},
                "logprobs": {"content": [_scored(token)]},
                "finish_reason": None,
            }
            await response.write(_event({"choices": [choice]}))
        last = {"index": 0, "delta": {}, "finish_reason": reply.finish_reason}
        await response.write(_event({"choices": [last], "usage": _usage(reply)}))
        await response.write(b"data: [DONE]\n\n")
        return response


def _message(body: dict[str, Any]) -> BaseMessage:
    return MESSAGES[body["role"]](str(body["content"]))


def _scored(token: Token) -> dict[str, Any]:
    """The token with twenty alternatives, whose spread shows whether the script is sure of it."""
    sure = token.entropy.upper < (SURE + UNSURE) / 2
    logprob, other = (-0.001, -12.0) if sure else (math.log(1 / 40), math.log(1 / 40))
    others = [{"token": f" other{n}", "logprob": other} for n in range(19)]
    own = {"token": token.text, "logprob": logprob}
    return {**own, "top_logprobs": [own, *others]}


def _usage(reply: Reply) -> dict[str, int]:
    return {"prompt_tokens": reply.prompt_tokens, "completion_tokens": len(reply.tokens)}


def _event(body: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(body).encode() + b"\n\n"
