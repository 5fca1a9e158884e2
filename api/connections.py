"""The HTTP protocol of the server: as uvicorn's, with a limit on connections and a deadline for each head.

Uvicorn waits for the rest of a half-sent request for ever, so a few hundred idle sockets would use up the
process's file descriptors.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_SECONDS = 20.0
"""Time to send the head of a request, from its first byte or from the connection on. Bodies have a deadline
of their own, see `api.limits`."""
HEAD_BYTES = 64 * 1024
"""Largest head; more than any proxy lets through."""


class BoundedProtocol(HttpToolsProtocol):
    """One connection; see `with_limit`."""

    limit = 0
    """Most open connections; further ones are closed at once. 0 for any number."""
    _head_deadline: asyncio.TimerHandle | None = None
    _head_bytes = 0
    """Bytes received while the head is awaited."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        if self.limit and len(self.connections) > self.limit:
            transport.close()
            return
        self._await_head()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self.cycle is None or self.cycle.response_complete:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES:
                self.transport.close()
                return
            self._await_head()
        else:
            self._forget_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget_head()
        super().connection_lost(exc)

    def _await_head(self) -> None:
        if self._head_deadline is None:
            self._head_deadline = self.loop.call_later(HEAD_SECONDS, self._close_idle)

    def _forget_head(self) -> None:
        if self._head_deadline is not None:
            self._head_deadline.cancel()
            self._head_deadline = None
        self._head_bytes = 0

    def _close_idle(self) -> None:
        self._head_deadline = None
        if not self.transport.is_closing():
            self.transport.close()


def with_limit(connections: int) -> type[BoundedProtocol]:
    """The protocol class for uvicorn's `http`, which it instantiates for each connection."""
    return type("Bounded", (BoundedProtocol,), {"limit": connections})
