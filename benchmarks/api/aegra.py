"""aegra, a server with LangGraph's API on PostgreSQL, with the no-op graph, in its own environment."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.api import noop
from benchmarks.api.environments import installed
from benchmarks.api.processes import free_port, running

PACKAGES = ("aegra-api>=0.6,<0.7", "greenlet")
ENVIRONMENT = Path(".nightschool/bench-aegra")


@contextmanager
def server(home: Path, database_url: str) -> Iterator[str]:
    """The URL of one aegra process on an empty PostgreSQL database. Raises Unavailable and NotReady."""
    command = installed(ENVIRONMENT, PACKAGES, "uvicorn")
    folder = home / "aegra"
    folder.mkdir()
    (folder / "noop.py").write_text(Path(noop.__file__).read_text(encoding="utf-8"), encoding="utf-8")
    config = folder / "aegra.json"
    config.write_text(json.dumps({"graphs": {noop.NAME: "./noop.py:graph"}}), encoding="utf-8")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    # The same log level as in `processes.settings`; otherwise its defaults.
    env = {"AEGRA_CONFIG": str(config), "DATABASE_URL": database_url, "LOG_LEVEL": "WARNING"}
    options = ["--host", "127.0.0.1", "--port", str(port), "--log-level", "warning", "--no-access-log"]
    serve = [str(command), "aegra_api.main:app", *options]
    with running(serve, home / "aegra.log", ready=f"{url}/health", env=env, cwd=folder):
        yield url
