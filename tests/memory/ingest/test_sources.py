"""Documents are named by URLs or relative paths, whoever names them."""

from pathlib import Path

import pytest

from memory.errors import IngestError
from memory.ingest.sources import checked_source, source_of


def test_a_file_is_named_by_the_folder_and_its_path_below_it(tmp_path: Path) -> None:
    assert source_of(tmp_path / "b" / "c.md", tmp_path) == f"{tmp_path.name}/b/c.md"
    assert source_of(Path("/c.md"), Path("/")) == "c.md"


@pytest.mark.parametrize("source", ["https://example.org/a", "manuals/a.md", "a.md", "notes about x.txt"])
def test_urls_and_relative_paths_are_names(source: str) -> None:
    assert checked_source(source) == source


@pytest.mark.parametrize(
    "source",
    ["/etc/passwd", "~/a.md", "../a.md", "a/../../b.md", "C:\\a.md", "\\\\host\\a.md", "file:///etc/passwd"],
)
def test_other_names_are_refused(source: str) -> None:
    with pytest.raises(IngestError, match="relative path"):
        checked_source(source)


def test_a_name_is_normalised_once() -> None:
    """Stores that each clean names in their own way would disagree on which facts are stale."""
    assert checked_source("  notes\u00a0about x.md\n") == "notes about x.md"
    assert checked_source("cafe\u0301.md") == "caf\u00e9.md"


@pytest.mark.parametrize("source", ["", "  ", "x" * 1001, "a\x1b[2Jb.md", "a\x00.md", "user\u202etxt.md"])
def test_names_that_no_store_can_keep_are_refused(source: str) -> None:
    with pytest.raises(IngestError, match="printable"):
        checked_source(source)
