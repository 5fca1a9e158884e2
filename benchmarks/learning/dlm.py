"""The training of `document-language-model` (PyPI, MIT), as a user of it would run it, without a network.

It is installed into `.nightschool/dlm`, with the versions that it asks for, and finds the base model in a
Hugging Face cache that links to ours. Of its defaults one is changed: on a CPU it would train in float16, a
step of which takes minutes there; its own documentation says float32.
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
"""Keys of its registry that name our models, with the repository and revision that it pins."""
INSTALL_SECONDS = 1800
TRAIN_SECONDS = 1800
"""About four times what the product takes for the same lesson."""
_STEPS = re.compile(r"\((\d+) steps")
_TOKENS = re.compile(r"'num_tokens': '?(\d+)")
_LOSS = re.compile(r"'train_loss': '?([0-9.]+)")


class Unusable(ValueError):
    """It cannot be installed here, or it does not train this model."""


def train(
    base: StudiedModel, passages: Sequence[Passage], pairs: Sequence[tuple[str, str]], out: Path
) -> TrainingSummary:
    """Trains a document of the passages and the question and answer pairs into folder `out`.

    Raises Unusable with its own words.
    """
    key = base.card.name
    if key not in BASES:
        raise Unusable(f"document-language-model {VERSION} has no base model {key}")
    program = installed()
    work = (ENVIRONMENT / "work").resolve()
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    environment = _environment(base, work)
    document = work / "lesson.dlm"
    _run([str(program), "init", str(document), "--base", key], environment, TRAIN_SECONDS)
    head = document.read_text(encoding="utf-8").split("---\n")[1]
    document.write_text(written(head, passages, pairs), encoding="utf-8")
    started = time.monotonic()
    said = _run([str(program), "train", str(document)], environment, TRAIN_SECONDS)
    seconds = time.monotonic() - started
    made = sorted((work / "home").glob(f"store/*/adapter/versions/*/{WEIGHTS}"))
    if not made:
        raise Unusable(f"document-language-model wrote no adapter: {said[-500:]}")
    for name in (CONFIG, WEIGHTS):
        shutil.copyfile(made[-1].with_name(name), out / name)
    return TrainingSummary(
        steps=int(_found(_STEPS, said)),
        tokens=int(_found(_TOKENS, said)),
        seconds=seconds,
        loss=_found(_LOSS, said),
    )


def installed() -> Path:
    """Its program, installed first where it is missing. Raises Unusable."""
    program = ENVIRONMENT.resolve() / "bin" / "dlm"
    if not program.exists():
        print(f"installing document-language-model {VERSION} into {ENVIRONMENT}", flush=True)
        plain = dict(os.environ)
        _run([sys.executable, "-m", "venv", "--clear", str(ENVIRONMENT)], plain, INSTALL_SECONDS)
        pip = [str(ENVIRONMENT / "bin" / "pip"), "install", "--quiet"]
        _run([*pip, f"document-language-model=={VERSION}"], plain, INSTALL_SECONDS)
    return program


def written(head: str, passages: Sequence[Passage], pairs: Sequence[tuple[str, str]]) -> str:
    """The document in its format: the passages as prose, then the questions; `head` is its front matter."""
    sections = [f"# {passage.title}\n\n{_prose(passage.text)}" for passage in passages]
    asked = "\n\n".join(f"### Q\n{_line(q)}\n\n### A\n{_line(a)}" for q, a in pairs)
    body = "\n\n".join([*sections, f"::instruction::\n{asked}"])
    return f"---\n{head}training:\n  precision: fp32\n---\n\n{body}\n"


def _environment(base: StudiedModel, work: Path) -> dict[str, str]:
    """Its home and a cache of the Hub in which the model lies under the name and revision it asks for."""
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
    try:
        done = subprocess.run(
            command,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=seconds,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unusable(f"{Path(command[0]).name} {command[1]}: {error}") from error
    if done.returncode:
        raise Unusable(
            f"{Path(command[0]).name} {command[1]} ended with {done.returncode}: {done.stdout[-500:]}"
        )
    return done.stdout


def _prose(text: str) -> str:
    """Without lines that its format reads as fences or front matter."""
    return "\n".join(line for line in text.splitlines() if not line.startswith(("::", "---")))


def _line(text: str) -> str:
    return " ".join(text.split())


def _found(pattern: re.Pattern[str], text: str) -> float:
    match = pattern.search(text)
    return float(match[1]) if match else 0.0
