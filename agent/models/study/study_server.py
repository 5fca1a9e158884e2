"""Runs a vLLM server for the duration of a study, which also tests that vLLM can serve the model."""

import asyncio
import os
import signal
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from agent.engines.child_process import die_with_parent
from agent.engines.vllm.address import base_url, unix_url
from agent.engines.vllm.engine import VllmEngine, connector
from agent.engines.vllm.server import fast_dtype, serve_command, serve_environment
from agent.errors import ModelRefused
from agent.models.study.model_files import ModelInfo

START_SECONDS = 600.0
"""Enough for a first start on a slow disk; with an unsupported model the process exits much sooner."""
CONTEXT = 2048
"""Enough tokens for the study's longest prompt and answer."""
SERVED_NAME = "studied"


@dataclass(frozen=True)
class StudyServer:
    """A running vLLM server."""

    engine: VllmEngine
    process: int
    """Id of its process and process group."""

    def memory_mb(self) -> float:
        """Resident memory of the server and its children in MB, without shared pages."""
        pages = os.sysconf("SC_PAGE_SIZE")
        total = 0
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError, ProcessLookupError):
                if os.getpgid(int(folder.name)) == self.process:
                    fields = (folder / "statm").read_text(encoding="ascii").split()
                    total += (int(fields[1]) - int(fields[2])) * pages
        return total / 1e6


@asynccontextmanager
async def start_server(
    folder: Path, info: ModelInfo, *, log: Path, gpu_share: float | None = None
) -> AsyncIterator[StudyServer]:
    """Serves the model in `folder` until the block or this process ends, even if it is killed.

    `gpu_share` is the share of GPU memory to use, None for a CPU. The server's output goes to `log`. Raises
    ModelRefused if the server exits or does not answer in time.
    """
    context = min(info.context, CONTEXT)
    gpu = gpu_share is not None
    cores = len(os.sched_getaffinity(0))
    environment = os.environ | serve_environment(str(folder), context=context, cores=cores, gpu=gpu)
    with tempfile.TemporaryDirectory(prefix="nightschool-study-") as private, log.open("wb") as output:
        socket = Path(private) / "engine.sock"
        command = serve_command(
            str(folder), socket, name=SERVED_NAME, context=context, modules=info.modules,
            dtype=fast_dtype(info.dtype, gpu=gpu), gpu_share=gpu_share, tool_parser=info.template.tool_parser,
        )  # fmt: skip
        process = await asyncio.create_subprocess_exec(
            *command,
            stdout=output,
            stderr=output,
            env=environment,
            start_new_session=True,
            preexec_fn=die_with_parent(),
        )
        try:
            url = unix_url(socket)
            await _ready(url, process, folder, log)
            async with VllmEngine(url, SERVED_NAME, info.template, timeout=300.0) as engine:
                yield StudyServer(engine, process.pid)
        finally:
            if process.returncode is None:
                process.terminate()
                try:
                    await asyncio.wait_for(process.wait(), 20.0)
                except TimeoutError:
                    process.kill()
                    await process.wait()
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # its remaining child processes


async def _ready(url: str, process: asyncio.subprocess.Process, folder: Path, log: Path) -> None:
    timeout = aiohttp.ClientTimeout(total=2.0)
    async with aiohttp.ClientSession(timeout=timeout, connector=connector(url)) as http:
        for _ in range(int(START_SECONDS)):
            if process.returncode is not None:
                raise ModelRefused(
                    f"vLLM cannot serve the model in {folder}: {_last_error(log)} (full log: {log})"
                )
            with suppress(aiohttp.ClientError, TimeoutError):
                async with http.get(f"{base_url(url)}/health") as response:
                    if response.ok:
                        return
            await asyncio.sleep(1.0)
    raise ModelRefused(f"vLLM did not start with {folder} in {START_SECONDS:.0f} s: see {log}")


def _last_error(log: Path) -> str:
    """The last log line with an error, which vLLM prints at the end of a traceback."""
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines()]
    errors = [line for line in lines if "Error" in line]
    return (errors or lines or ["no output"])[-1][-300:]
