"""What the README and the guides say is so: their commands, settings, endpoints and links exist."""

import json
import re
import shlex

import pytest
import typer

from agent.settings import PREFIX, Settings
from api.app import create_app
from api.cli.main import app as commands
from api.openai.requests import ChatRequest
from tests.contracts.test_imports import ROOT

README = (ROOT / "README.md").read_text()
PAGES = {
    str(path.relative_to(ROOT)): path.read_text()
    for path in (
        *ROOT.glob("*.md"),
        *(ROOT / "docs").glob("*.md"),
        *(ROOT / "docs" / "guides").glob("*.md"),
        *(ROOT / "docs" / "reference").glob("*.md"),
    )
}
REFERENCE = "".join(text for name, text in PAGES.items() if name.startswith("docs/reference/"))
WRITTEN = {name: text for name, text in PAGES.items() if not name.startswith("docs/reference/")}


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
            assert f"`{method.upper()} {path}`" in REFERENCE, f"{method.upper()} {path}"


@pytest.mark.parametrize("page", WRITTEN)
def test_every_command_in_a_snippet_exists(page: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    blocks = re.findall(r"```(?:sh|bash)\n(.*?)```", WRITTEN[page], re.DOTALL)
    commands = (re.sub(r"-d '.*?'(?=\s)", "-d BODY", block, flags=re.DOTALL) for block in blocks)
    lines = [line for block in commands for line in block.replace("\\\n", " ").splitlines() if line.strip()]
    names = command_names()
    for line in lines:
        words = shlex.split(line, comments=True)
        if words[:1] == ["make"]:
            assert words[1] in targets, line
        if words[:1] == ["nightschool"]:
            assert words[1] in names or " ".join(words[1:3]) in names, line


@pytest.mark.parametrize("page", WRITTEN)
def test_every_command_setting_and_endpoint_in_the_text_exists(page: str) -> None:
    text = WRITTEN[page]
    names = command_names() | {name.partition(" ")[0] for name in command_names()}
    for command in re.findall(r"`nightschool ([a-z]+(?: [a-z]+)?)", text):
        assert command in names or command.partition(" ")[0] in names, command
    for setting in re.findall(rf"{PREFIX}[A-Z_]+", text):
        assert setting.removeprefix(PREFIX).lower() in Settings.model_fields, setting
    for target in re.findall(r"`make ([a-z-]+)", text):
        assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE), target
    for endpoint in re.findall(r"`((?:GET|POST|PUT|PATCH|DELETE) /[^` ]*)`", text):
        assert f"`{endpoint}`" in REFERENCE, endpoint


def test_the_readme_is_one_page() -> None:
    assert len(README.splitlines()) < 100
    assert len(README.split()) < 1200


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


@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_links_to_exists(page: str) -> None:
    for name in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", PAGES[page]):
        assert ((ROOT / page).parent / name).exists(), name
