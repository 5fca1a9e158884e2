"""Addresses of vLLM servers: `http://` URLs, and `unix:` with the path of a socket."""

from pathlib import Path

UNIX = "unix:"


def unix_url(socket: Path) -> str:
    """The address of a server on a Unix socket."""
    return f"{UNIX}{socket}"


def socket_of(url: str) -> str | None:
    """The path of the socket in an address, None for a URL."""
    return url.removeprefix(UNIX) if url.startswith(UNIX) else None


def base_url(url: str) -> str:
    """What the paths of requests to the server are appended to; over a socket, the host name is ignored."""
    return "http://localhost" if url.startswith(UNIX) else url.rstrip("/")
