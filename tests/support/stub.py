"""What stub HTTP servers of tests share: reading a JSON body, sending a reply, serving in a thread.

What they answer is for each test.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

POLL_SECONDS = 0.01
"""How soon a server notices that it shall stop; by default half a second, which every test would wait."""


class JsonHandler(BaseHTTPRequestHandler):
    """Add `do_GET` or `do_POST`."""

    def received(self) -> Any:
        """The request's body."""
        return json.loads(self.rfile.read(int(self.headers["content-length"])))

    def reply(self, status: int, body: object, kind: str = "application/json") -> None:
        """Sends text as it is, anything else as JSON."""
        data = (body if isinstance(body, str) else json.dumps(body)).encode()
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Keeps the test's output clean."""


@contextmanager
def serving(server: HTTPServer) -> Iterator[None]:
    """Answers requests within the block."""
    thread = threading.Thread(target=server.serve_forever, args=(POLL_SECONDS,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
