"""A real vLLM server for tests: started on a Unix socket, ended with the block."""

import importlib.util
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from agent.engines.adapter_files import MAX_RANK
from agent.engines.vllm.address import unix_url
from agent.engines.vllm.server import serve_command, serve_environment
from memory.unix_sockets import make_folder

START_SECONDS = 500


@contextmanager
def served(
    model: Path, log: Path, *, context: int, name: str = "nightschool", rank: int = MAX_RANK
) -> Iterator[str]:
    """Yields the address of a vLLM server over `model` for adapters up to `rank`; fails without vLLM."""
    if importlib.util.find_spec("vllm") is None:
        pytest.fail("vLLM is not installed: run `make setup`, or leave it out with -m 'not services'")
    path = make_folder(log.parent / "engine", "engine.sock")
    command = [*serve_command(str(model), path, name=name, context=context), "--max-lora-rank", str(rank)]
    environment = os.environ | serve_environment(str(model), context=context, cores=os.cpu_count() or 1)
    with log.open("w") as output:
        process = subprocess.Popen(
            command, env=environment, stdout=output, stderr=subprocess.STDOUT, cwd=log.parent
        )
    try:
        _await_ready(path, process, log)
        yield unix_url(path)
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await_ready(socket: Path, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            with httpx.Client(transport=httpx.HTTPTransport(uds=str(socket), verify=False)) as client:
                if client.get("http://localhost/health").is_success:
                    return
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    print(log.read_text()[-4000:], file=sys.stderr)
    raise AssertionError(f"vLLM did not become ready, see {log}")
