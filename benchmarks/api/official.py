"""Comparison with LangGraph's own in-memory server, installed for it alone and asked the same.

Its licence (Elastic) lets it be run and not be copied; nothing of it is read here.
"""

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from benchmarks.api import noop
from benchmarks.api.processes import free_port, running

PACKAGE = "langgraph-cli[inmem]"
PLACE = Path(".nightschool/bench-langgraph")
"""Its environment of its own, kept from one benchmark to the next."""


def compared(
    home: Path, measure: Callable[[str, str], Coroutine[Any, Any, dict[str, float]]], ours: dict[str, float]
) -> dict[str, float]:
    """Its figures, and ours beside them. Raises CalledProcessError where it cannot be installed."""
    python = _installed()
    folder = home / "official"
    folder.mkdir()
    (folder / "noop.py").write_text(Path(noop.__file__).read_text(encoding="utf-8"), encoding="utf-8")
    said = {"dependencies": ["."], "graphs": {noop.NAME: "./noop.py:graph"}}
    (folder / "langgraph.json").write_text(json.dumps(said), encoding="utf-8")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    options = ["--port", str(port), "--no-browser", "--no-reload", "--config", "langgraph.json"]
    command = [str(python.parent / "langgraph"), "dev", *options]
    env = {"LANGSMITH_TRACING": "false", "LANGGRAPH_CLI_NO_ANALYTICS": "1"}
    with running(command, home / "official.log", ready=f"{url}/ok", env=env, cwd=folder):
        found = asyncio.run(measure(url, noop.NAME))
    figures = {f"official {name}": figure for name, figure in found.items()}
    return figures | {
        "official p50 over ours": found["runs.wait p50 ms"] / ours["our runs.wait p50 ms"],
        "our runs a second over official": ours["our runs a second"] / found["runs a second"],
    }


def _installed() -> Path:
    python = (PLACE / "bin" / "python").absolute()
    if not (PLACE / "bin" / "langgraph").exists():
        subprocess.run([sys.executable, "-m", "venv", str(PLACE)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "-q", PACKAGE], check=True)
    return python
