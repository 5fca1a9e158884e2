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
