"""The default model is converted from its package, once and whole, and answers what anybody knows."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from agent.models.catalogue import shipped_catalogue
from agent.models.store import ModelStore

pytestmark = [pytest.mark.services, pytest.mark.timeout(600)]

NIGHTSCHOOL = str(Path(sys.executable).parent / "nightschool")
DEFAULT = shipped_catalogue().default


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where models are; one adoption was killed in it, and the next succeeded."""
    folder = tmp_path_factory.mktemp("models")
    environment = os.environ | {"NIGHTSCHOOL_MODELS": str(folder)}
    first = subprocess.Popen([NIGHTSCHOOL, "models", "add"], env=environment, start_new_session=True)
    begun = folder / f".unfinished-{DEFAULT}" / "tokenizer.json"
    while not begun.exists():
        assert first.poll() is None, "it ended before it was killed"
        time.sleep(0.05)
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert ModelStore(folder).names() == ()
    done = run(folder, "add")
    assert done.returncode == 0, done.stderr
    return folder


def run(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [NIGHTSCHOOL, "models", *arguments],
        env=os.environ | {"NIGHTSCHOOL_MODELS": str(folder), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )


def test_an_adoption_that_was_killed_leaves_nothing_and_the_next_is_whole(folder: Path) -> None:
    assert ModelStore(folder).names() == (DEFAULT,)
    assert list(folder.glob(".unfinished-*")) == []


def test_it_answers_what_anybody_knows(folder: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(folder / DEFAULT)
    model: Any = AutoModelForCausalLM.from_pretrained(folder / DEFAULT, dtype=torch.float32)
    asked = tokenizer.apply_chat_template(
        [{"role": "user", "content": "What is the capital of France?"}],
        add_generation_prompt=True,
        return_tensors="pt",
        return_dict=True,
    )
    said = model.generate(**asked, max_new_tokens=40)[0, asked["input_ids"].shape[1] :]
    assert "Paris" in tokenizer.decode(said, skip_special_tokens=True)
    assert said[-1] in model.generation_config.eos_token_id


def test_its_card_comes_with_it(folder: Path) -> None:
    assert ModelStore(folder).card(DEFAULT).known > 0


def test_adding_it_again_changes_nothing(folder: Path) -> None:
    before = (folder / DEFAULT / "model.safetensors").stat()
    again = run(folder, "add")
    assert (again.returncode, "already been added" in again.stdout) == (0, True)
    assert (folder / DEFAULT / "model.safetensors").stat() == before


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("remove", DEFAULT), "models use"),
        (("remove", "nothing"), "models list"),
        (("use", "nothing"), "models list"),
        (("show", "nothing"), "models list"),
        (("add", "nothing"), DEFAULT),
        (("add", "/usr"), "config.json"),
        (("add", DEFAULT, "--name", DEFAULT, "--chat-template", "/nowhere"), "cannot be read"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(folder: Path, arguments: tuple[str, ...], reason: str) -> None:
    said = run(folder, *arguments)
    assert said.returncode == 2
    assert reason in said.stderr
    assert len(said.stderr.splitlines()) == 1
    assert ModelStore(folder).names() == (DEFAULT,)


def test_a_listed_model_says_whether_it_is_in_use_and_studied(folder: Path) -> None:
    line = next(line for line in run(folder, "list").stdout.splitlines() if DEFAULT in line)
    assert line.startswith("*")
