"""A web of a few hosts on this machine: an HTTP server on loopback, and names that lead to it."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from memory.errors import IngestError
from memory.public_addresses import is_public

LOOPBACK = "127.0.0.1"


class Request(BaseHTTPRequestHandler):
    """A request to the web; `reply` and `send` answer it."""

    def reply(self, body: bytes | str, kind: str = "text/html", status: int = 200, **headers: str) -> None:
        data = body.encode() if isinstance(body, str) else body
        self.send_response(status)
        if kind:
            self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


Answer = Callable[[Request], None]


@dataclass
class LocalSite:
    """The web of a test: pages by `host/path`. What is not there is 404, also robots.txt."""

    port: int
    pages: dict[str, Answer] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    """`host/path?query` of each request, in order."""
    headers: list[Mapping[str, str]] = field(default_factory=list)
    addresses: dict[str, Sequence[str]] = field(default_factory=dict)
    """Hosts that do not lead here."""

    def url(self, place: str) -> str:
        host, _, path = place.partition("/")
        return f"http://{host}:{self.port}/{path}"

    def page(self, place: str, body: bytes | str, kind: str = "text/html", **headers: str) -> str:
        """Puts a page there, and returns its URL."""
        self.pages[place] = lambda request: request.reply(body, kind, **headers)
        return self.url(place)

    def moved(self, place: str, to: str) -> str:
        """Puts a redirect there, and returns its URL."""
        self.pages[place] = lambda request: request.reply(b"", status=302, Location=to)
        return self.url(place)

    def resolve(self, host: str) -> Sequence[str]:
        """Every name leads here, and an address to itself."""
        if host in self.addresses:
            return self.addresses[host]
        return (host,) if host[:1].isdigit() or ":" in host else (LOOPBACK,)

    def is_allowed(self, addresses: Sequence[str]) -> bool:
        """The seam of tests: this server may be asked besides public ones."""
        return list(addresses) == [LOOPBACK] or is_public(addresses)

    def reach(self, host: str, addresses: Sequence[str]) -> None:
        if not self.is_allowed(addresses):
            raise IngestError(f"{host} is not public")

    def count(self, place: str) -> int:
        return Counter(self.requests)[place]


@contextmanager
def local_site() -> Iterator[LocalSite]:
    """A web without pages."""

    class Handler(Request):
        def do_GET(self) -> None:
            host = self.headers["Host"].partition(":")[0]
            site.requests.append(f"{host}{self.path}")
            site.headers.append(dict(self.headers))
            answer = site.pages.get(f"{host}{self.path.partition('?')[0]}")
            try:
                if answer is None:
                    self.reply(b"nothing here", "text/plain", 404)
                else:
                    answer(self)
            except (BrokenPipeError, ConnectionResetError):
                pass  # the client has read enough

    server = ThreadingHTTPServer((LOOPBACK, 0), Handler)
    server.daemon_threads = True
    site = LocalSite(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
