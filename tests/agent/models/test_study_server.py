"""A study's server takes what the settings grant it, and ends with the study, however that ends."""

import asyncio
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agent.models.study import study_server
from tests.agent.models.test_study import INSPECTED
from tests.api.supervisor.test_supervisor import _lives
from tests.support.cards import model_folder

STUDY = """
import asyncio, sys
from pathlib import Path
from agent.models.study import study_server
from tests.agent.models.test_study import INSPECTED

code = "import os, time; print('pid', os.getpid(), flush=True); time.sleep(120)"
study_server.serve_command = lambda *_, **__: [sys.executable, "-c", code]

async def main():
    async with study_server.start_server(Path(sys.argv[1]), INSPECTED, log=Path(sys.argv[2])):
        pass

asyncio.run(main())
"""


@pytest.mark.slow
def test_a_study_that_is_killed_leaves_no_server_behind(tmp_path: Path) -> None:
    folder, log = model_folder(tmp_path / "model"), tmp_path / "engine.log"
    root = Path(__file__).parents[3]
    with subprocess.Popen([sys.executable, "-c", STUDY, str(folder), str(log)], cwd=root) as study:
        deadline = time.monotonic() + 60
        while not (log.is_file() and log.read_text().endswith("\n")):
            assert study.poll() is None, "the server was not started"
            assert time.monotonic() < deadline
            time.sleep(0.05)
        study.kill()
    pid = int(log.read_text().split()[1])
    deadline = time.monotonic() + 10
    while _lives(pid):
        assert time.monotonic() < deadline, "the server outlived its study"
        time.sleep(0.05)


@pytest.mark.parametrize("share", [None, 0.3])
def test_the_share_of_the_gpu_is_the_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, share: float | None
) -> None:
    given: list[object] = []

    def command(*_: object, **options: object) -> list[str]:
        given.append(options["gpu_share"])
        return ["false"]

    monkeypatch.setattr(study_server, "serve_command", command)

    async def start() -> None:
        folder = model_folder(tmp_path / "model")
        async with study_server.start_server(folder, INSPECTED, log=tmp_path / "log", gpu_share=share):
            pass

    with pytest.raises(study_server.ModelRefused):
        asyncio.run(start())
    assert given == [share]
