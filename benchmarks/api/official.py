"""LangGraph's own in-memory server with the no-op graph, in its own environment.

Its Elastic licence allows running it, but not copying its source.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.api import noop
from benchmarks.api.environments import installed
from benchmarks.api.processes import free_port, running

PACKAGE = "langgraph-cli[inmem]"
ENVIRONMENT = Path(".nightschool/bench-langgraph")


@contextmanager
def server(home: Path) -> Iterator[str]:
    """The server's URL. Raises Unavailable and NotReady."""
    command = installed(ENVIRONMENT, [PACKAGE], "langgraph")
    folder = home / "official"
    folder.mkdir()
    (folder / "noop.py").write_text(Path(noop.__file__).read_text(encoding="utf-8"), encoding="utf-8")
    config = {"dependencies": ["."], "graphs": {noop.NAME: "./noop.py:graph"}}
    (folder / "langgraph.json").write_text(json.dumps(config), encoding="utf-8")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    options = ["--port", str(port), "--no-browser", "--no-reload", "--config", "langgraph.json"]
    env = {"LANGSMITH_TRACING": "false", "LANGGRAPH_CLI_NO_ANALYTICS": "1"}
    dev = [str(command), "dev", *options]
    with running(dev, home / "official.log", ready=f"{url}/ok", env=env, cwd=folder):
        yield url
