"""Trains with `document-language-model` (PyPI, MIT) the way one of its users would, but offline.

The package is installed into an environment of its own, `.nightschool/dlm`, and loads the base model from a
Hugging Face cache with links to our files. One default is changed: on a CPU it would train in float16, with
steps of several minutes; its documentation recommends float32 there.
"""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from agent.engines.adapter_files import CONFIG, WEIGHTS
from memory.records.knowledge import Passage
from training.backends.base import TrainingSummary
from training.base_model import StudiedModel

VERSION = "0.10.0"
ENVIRONMENT = Path(".nightschool/dlm")
BASES = {
    "smollm2-135m": ("HuggingFaceTB/SmolLM2-135M-Instruct", "12fd25f77366fa6b3b4b768ec3050bf629380bac"),
}
"""Our models that its registry has under the same key, with the repository and revision that it pins."""
INSTALL_SECONDS = 1800
TRAIN_SECONDS = 1800
"""About four times what the product takes for the same lesson."""
_STEPS = re.compile(r"\((\d+) steps")
_TOKENS = re.compile(r"'num_tokens': '?(\d+)")
_LOSS = re.compile(r"'train_loss': '?([0-9.]+)")


class DlmUnavailable(ValueError):
    """The package cannot be installed here or cannot train this model."""


def train(
    base: StudiedModel, passages: Sequence[Passage], pairs: Sequence[tuple[str, str]], out: Path
) -> TrainingSummary:
    """Trains on a document with the passages and question-answer pairs, and writes the adapter to `out`.

    Raises DlmUnavailable with the output of the package.
    """
    key = base.card.name
    if key not in BASES:
        raise DlmUnavailable(f"document-language-model {VERSION} has no base model {key}")
    program = install()
    work = (ENVIRONMENT / "work").resolve()
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    environment = _environment(base, work)
    document = work / "lesson.dlm"
    _run([str(program), "init", str(document), "--base", key], environment, TRAIN_SECONDS)
    front_matter = document.read_text(encoding="utf-8").split("---\n")[1]
    document.write_text(format_document(front_matter, passages, pairs), encoding="utf-8")
    started = time.monotonic()
    output = _run([str(program), "train", str(document)], environment, TRAIN_SECONDS)
    seconds = time.monotonic() - started
    adapters = sorted((work / "home").glob(f"store/*/adapter/versions/*/{WEIGHTS}"))
    if not adapters:
        raise DlmUnavailable(f"document-language-model wrote no adapter: {output[-500:]}")
    for name in (CONFIG, WEIGHTS):
        shutil.copyfile(adapters[-1].with_name(name), out / name)
    return TrainingSummary(
        steps=int(_parse_number(_STEPS, output)),
        tokens=int(_parse_number(_TOKENS, output)),
        seconds=seconds,
        loss=_parse_number(_LOSS, output),
    )


def install() -> Path:
    """The path of its program; installs the package if it is missing. Raises DlmUnavailable."""
    program = ENVIRONMENT.resolve() / "bin" / "dlm"
    if not program.exists():
        print(f"installing document-language-model {VERSION} into {ENVIRONMENT}", flush=True)
        environment = dict(os.environ)
        _run([sys.executable, "-m", "venv", "--clear", str(ENVIRONMENT)], environment, INSTALL_SECONDS)
        pip = [str(ENVIRONMENT / "bin" / "pip"), "install", "--quiet"]
        _run([*pip, f"document-language-model=={VERSION}"], environment, INSTALL_SECONDS)
    return program


def format_document(front_matter: str, passages: Sequence[Passage], pairs: Sequence[tuple[str, str]]) -> str:
    """A document in its format: the passages as prose, then the questions and answers."""
    sections = [f"# {passage.title}\n\n{_prose(passage.text)}" for passage in passages]
    questions = "\n\n".join(f"### Q\n{_one_line(q)}\n\n### A\n{_one_line(a)}" for q, a in pairs)
    body = "\n\n".join([*sections, f"::instruction::\n{questions}"])
    return f"---\n{front_matter}training:\n  precision: fp32\n---\n\n{body}\n"


def _environment(base: StudiedModel, work: Path) -> dict[str, str]:
    """Points it to a home below `work`, and to a Hugging Face cache with the model as it looks it up."""
    repository, revision = BASES[base.card.name]
    cache = work / "hub" / "hub" / f"models--{repository.replace('/', '--')}"
    (cache / "refs").mkdir(parents=True)
    (cache / "refs" / "main").write_text(revision, encoding="utf-8")
    snapshot = cache / "snapshots" / revision
    snapshot.mkdir(parents=True)
    for file in base.folder.resolve().iterdir():
        (snapshot / file.name).symlink_to(file)
    return {
        **os.environ,
        "HF_HOME": str(work / "hub"),
        "HF_HUB_OFFLINE": "1",
        "DLM_HOME": str(work / "home"),
        "GOMP_SPINCOUNT": "1000",
    }


def _run(command: Sequence[str], environment: dict[str, str], seconds: float) -> str:
    """The output of the command. Raises DlmUnavailable if it fails or takes too long."""
    try:
        completed = subprocess.run(
            command,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=seconds,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DlmUnavailable(f"{Path(command[0]).name} {command[1]}: {error}") from error
    if completed.returncode:
        raise DlmUnavailable(
            f"{Path(command[0]).name} {command[1]} exited with {completed.returncode}:"
            f" {completed.stdout[-500:]}"
        )
    return completed.stdout


def _prose(text: str) -> str:
    """The text without lines that the format would parse as fences or front matter."""
    return "\n".join(line for line in text.splitlines() if not line.startswith(("::", "---")))


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _parse_number(pattern: re.Pattern[str], text: str) -> float:
    match = pattern.search(text)
    return float(match[1]) if match else 0.0
