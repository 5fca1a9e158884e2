"""The pages that `make docs` makes from the code are up to date, and nothing in the code is undocumented."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from tests.contracts.test_imports import ROOT


def generator() -> ModuleType:
    """The script docs/generate.py, which is in no package."""
    spec = importlib.util.spec_from_file_location("docs_generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GENERATE = generator()
PAGES: dict[Path, str] = GENERATE.pages()


@pytest.mark.parametrize("path", PAGES, ids=str)
def test_a_page_is_as_the_code_is(path: Path) -> None:
    assert (ROOT / path).read_text() == PAGES[path], "run `make docs`"


def test_every_module_is_in_the_map_with_what_it_is() -> None:
    text = PAGES[GENERATE.MAP]
    for package in GENERATE.PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            if path.name != "__init__.py":
                name = path.relative_to(ROOT)
                assert f"]({name}): {GENERATE.first_line(path)}\n" in text
                assert GENERATE.first_line(path), f"{name} has no docstring"


@pytest.mark.parametrize(
    ("page", "column"), [("settings", 3), ("commands", 2), ("endpoints", 1), ("metrics", 3)]
)
def test_everything_in_a_reference_page_has_a_meaning(page: str, column: int) -> None:
    text = PAGES[Path("docs/reference") / f"{page}.md"].replace("\\|", "/")
    rows = [line.strip("| ").split("|") for line in text.splitlines() if line.startswith("| `")]
    assert rows
    assert [row[0] for row in rows if len(row) <= column or not row[column].strip()] == []
