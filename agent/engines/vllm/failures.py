"""Failures of a vLLM server, as the errors that callers see."""

from typing import NamedTuple

import aiohttp

from agent.engines.entropy import TOP_LOGPROBS
from agent.engines.vllm import protocol
from agent.errors import AdapterNotLoaded, EngineError, EngineUnavailable, PromptTooLong, RequestFailed

CALLERS_MISTAKES = (400, 422)
"""Statuses with which vLLM refuses a request, in JSON; a proxy's have a page instead."""

FAILED_ITSELF = 500
"""The status with which vLLM tells, in JSON, that it failed on one request. A proxy has others, or a page,
and a server whose engine died ends."""


class Response(NamedTuple):
    """The server's response, read to its end."""

    status: int
    text: str
    reported: bool = False
    """Whether the text is an error that the server reported instead of an answer."""

    @property
    def failed(self) -> bool:
        return self.status >= 400

    def __str__(self) -> str:
        """Status and message, shortened."""
        return f"HTTP {self.status} {self.text[:500]}"


def explain(response: Response, url: str, *, model: str, adapter: str | None) -> Exception:
    """The exception for a failed request: ValueError for the caller's mistake, else an EngineError.

    What no vLLM server says, such as a proxy's page, is EngineUnavailable too.
    """
    if "not JSON compliant" in response.text:
        return EngineError(
            f"{url} answered with numbers that are not finite: the weights of {adapter or model} are damaged"
            " or far too large. Restart the engine, because its cache keeps them for other chats"
        )
    if response.status == 404:
        if adapter is not None:
            return AdapterNotLoaded(f"adapter {adapter} is not loaded: load it first")
        return EngineUnavailable(f"{url} serves no model named {model}: start it with that name")
    if response.status in CALLERS_MISTAKES and protocol.is_json(response.text):
        if "context length" in response.text or "max_model_len" in response.text:
            return PromptTooLong(f"shorten the conversation: {response}")
        return ValueError(f"vLLM rejected the request: {response}")
    if response.reported or (response.status == FAILED_ITSELF and protocol.is_json(response.text)):
        return RequestFailed(f"{url} failed on this request: {response}; see the engine's log")
    return EngineUnavailable(f"{url} failed: {response}; see the engine's log")


def unscored(url: str) -> EngineError:
    """The error for an answer without log-probabilities."""
    return EngineError(
        f"{url} answered without log-probabilities, so its uncertainty is unknown: start it with"
        f" --max-logprobs {TOP_LOGPROBS}, as `nightschool up` does"
    )


def unreachable(url: str, error: BaseException, timeout: float) -> EngineUnavailable:
    """The error for a connection that failed; `timeout` is the limit for an answer, in seconds."""
    if isinstance(error, aiohttp.SocketTimeoutError):
        return EngineUnavailable(
            f"vLLM at {url} did not answer within {timeout:g} seconds: it has too many requests or too long"
            " answers; send fewer at once, or raise NIGHTSCHOOL_ENGINE_TIMEOUT"
        )
    return EngineUnavailable(
        f"no answer from vLLM at {url} ({type(error).__name__}: {error}): start it with `nightschool up`, or"
        " set NIGHTSCHOOL_ENGINE_URL"
    )
