"""The console's process: serves its pages on a Unix socket, which the api passes on at /ui."""

import logging
import os
import socket
import sys
from pathlib import Path

import uvicorn

from agent.logs import start_logging
from agent.settings import read_settings
from api.cli.running import service_url
from api.console.app import create_app
from memory import unix_sockets
from memory.errors import StoreUnavailable


def main() -> None:
    """Serves until it is told to stop. Exits with 2 if the socket cannot be taken."""
    settings = read_settings()
    start_logging(settings.log_level, "%(levelname)s %(name)s: %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        path = unix_sockets.make_folder(settings.path("console"), "console.sock")
        unix_sockets.take(path)
    except StoreUnavailable as error:
        print(f"nightschool: {error}", file=sys.stderr)
        sys.exit(2)
    app = create_app(lambda: service_url(settings))
    config = uvicorn.Config(
        app,
        ws="none",
        log_config=None,
        log_level=settings.log_level,
        access_log=settings.log_level == "debug",
        timeout_graceful_shutdown=1,
    )
    with listening(path) as door:
        print(f"the console is ready: open {service_url(settings)}/ui in a browser", flush=True)
        uvicorn.Server(config).run(sockets=[door])
    os._exit(0)  # threads that wait for a run's events would hold it up


def listening(path: Path) -> socket.socket:
    """A Unix socket that only this user can open."""
    door = socket.socket(socket.AF_UNIX)
    before = os.umask(0o177)
    try:
        door.bind(str(path))
    finally:
        os.umask(before)
    return door


if __name__ == "__main__":
    main()
