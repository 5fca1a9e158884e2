"""What the README and the reference say is so, and every setting, command and endpoint is there."""

import json
import re
import shlex
from pathlib import Path

import typer

from agent.settings import PREFIX, Settings
from api.app import create_app
from api.cli.main import app as commands
from api.openai.requests import ChatRequest
from tests.contracts.test_imports import ROOT

README = (ROOT / "README.md").read_text()
REFERENCE = (ROOT / "docs" / "reference.md").read_text()
LANGGRAPH = (ROOT / "docs" / "langgraph.md").read_text()
BLOCKS = re.findall(r"```(?:sh|bash)\n(.*?)```", README, re.DOTALL)


def command_names() -> set[str]:
    """All commands, with those of groups as two words, and groups that do something on their own."""
    root = typer.main.get_command(commands)
    names: set[str] = set()
    for name, command in root.commands.items():  # type: ignore[attr-defined]  # a click group
        inner = getattr(command, "commands", None)
        names |= {f"{name} {sub}" for sub in inner or ()}
        if not inner or command.invoke_without_command:
            names.add(name)
    return names


def test_every_setting_is_documented_with_its_description() -> None:
    for name, field in Settings.model_fields.items():
        assert f"`{PREFIX}{name.upper()}`" in REFERENCE, name
        assert field.description is not None
        assert field.description in REFERENCE, f"{name}: the reference says something else"


def test_every_command_is_documented() -> None:
    for name in command_names():
        assert f"nightschool {name}" in REFERENCE, name


def test_every_endpoint_is_documented() -> None:
    paths = create_app(Settings()).openapi()["paths"]
    for path, methods in paths.items():
        for method in methods:
            assert f"`{method.upper()} {path}`" in REFERENCE + LANGGRAPH, f"{method.upper()} {path}"


def test_every_command_in_a_snippet_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    lines = [line for block in BLOCKS for line in block.replace("\\\n", " ").splitlines() if line.strip()]
    assert lines
    names = command_names()
    for line in lines:
        words = shlex.split(line, comments=True)
        if words[:1] == ["make"]:
            assert words[1] in targets, line
        if words[:1] == ["nightschool"]:
            assert words[1] in names or " ".join(words[1:3]) in names, line


def test_the_curl_of_the_readme_is_a_valid_request() -> None:
    bodies = re.findall(r"-d '(\{.*?\})'", README, re.DOTALL)
    assert bodies
    for body in bodies:
        ChatRequest.model_validate(json.loads(body))


def test_integration_runs_the_tests_command_of_the_readme() -> None:
    script = [
        line for line in (ROOT / ".ci" / "run").read_text().splitlines() if line and not line.startswith("#")
    ]
    assert "make test" in script
    assert "make test" in README


def test_files_named_in_the_readme_exist() -> None:
    for name in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / name).exists(), name
    assert Path(ROOT / "examples" / "questions.jsonl").exists()
