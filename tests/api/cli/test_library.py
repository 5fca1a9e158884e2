"""`nightschool ingest` reads what it can, names what it cannot, and follows folders."""

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from api.cli.client import connect
from api.cli.folder_changes import Changes
from api.cli.ingestion import Ingestion
from memory.ingest.sources import checked_source
from tests.support.commands import NIGHTSCHOOL, run, stub


class Library:
    """A service that keeps the bytes of documents."""

    def __init__(self) -> None:
        self.documents: dict[str, bytes] = {}
        self.types: list[str] = []
        self.answers = True
        self.failures = 0

    async def add(self, request: Request) -> Response:
        if self.failures:
            self.failures -= 1
            return JSONResponse({"error": {"message": "the graph is away"}}, 503)
        source, data = request.query_params["source"], await request.body()
        self.types.append(request.headers["content-type"])
        if b"take long" in data:
            await asyncio.sleep(3)
        if b"refuse" in data:
            return JSONResponse({"error": {"message": f"{source}: refused"}}, 422)
        if b"import only" in data:
            error = {"message": f"{source}: no functions", "code": "nothing_to_read"}
            return JSONResponse({"error": error}, 422)
        before = self.documents.get(source)
        if "dry_run" not in request.query_params:
            self.documents[source] = data
        new = before != data
        counts = {
            "documents": int(new),
            "changed": int(new and before is not None),
            "unchanged": int(not new),
        }
        notes = [[source, "in another language"]] if b"Lampe" in data else []
        return JSONResponse({**counts, "passages": int(new), "facts": 0, "failed": [], "notes": notes})

    async def listing(self, request: Request) -> Response:
        after = request.query_params["after"]
        sources = sorted(source for source in self.documents if source > after)
        return JSONResponse({"domain": None, "sources": sources[:1]})  # the smallest page

    async def ready(self, request: Request) -> Response:
        return JSONResponse({"ready": True}) if self.answers else Response()

    async def remove(self, request: Request) -> Response:
        known = self.documents.pop(request.query_params["source"], None)
        return JSONResponse({"passages": int(known is not None), "facts": 0})


@pytest.fixture
def library() -> Library:
    return Library()


@pytest.fixture
def port(library: Library) -> Iterator[int]:
    path = "/v1/documents"
    routes = [
        Route(path, library.add, methods=["POST"]),
        Route(path, library.listing, methods=["GET"]),
        Route(path, library.remove, methods=["DELETE"]),
        Route("/readyz", library.ready),
    ]
    with stub(routes) as opened:
        yield opened


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "notes"
    (made / "deep").mkdir(parents=True)
    (made / "a.md").write_text("A lamp burns.")
    (made / "deep" / "b.csv").write_text("name,oil\nzorble,fish\n")
    (made / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n\x00")
    (made / "empty.md").write_text("")
    (made / "README").write_text("No extension.")
    return made


def test_every_file_is_read_or_named_with_the_reason(folder: Path, library: Library, port: int) -> None:
    said = run("ingest", str(folder), port=port)
    assert said.returncode == 0, said.stderr
    assert sorted(library.documents) == ["notes/README", "notes/a.md", "notes/deep/b.csv"]
    assert "picture.png: .png is not supported" in said.stdout
    assert "empty.md: empty" in said.stdout
    assert "Documents: 3 new, 2 skipped; 3 passages" in said.stdout
    assert "text/csv" in library.types


def test_a_second_reading_counts_changes_and_names_what_is_gone(
    folder: Path, library: Library, port: int
) -> None:
    run("ingest", str(folder), port=port)
    (folder / "a.md").write_text("A lamp burns oil.")
    (folder / "README").unlink()
    said = run("ingest", str(folder), port=port)
    assert "1 changed, 1 unchanged, 1 gone" in said.stdout
    assert "notes/README: no more in the folder; --prune removes it" in said.stdout
    assert "notes/README" in library.documents
    assert "1 removed" in run("ingest", str(folder), "--prune", port=port).stdout
    assert "notes/README" not in library.documents


def test_a_dry_run_stores_and_removes_nothing(folder: Path, library: Library, port: int) -> None:
    library.documents["notes/old.md"] = b"x"
    said = run("ingest", str(folder), "--dry-run", "--prune", port=port)
    assert "Would be: 3 new, 1 gone" in said.stdout
    assert list(library.documents) == ["notes/old.md"]


def test_a_file_whose_name_is_not_utf_8_is_named_and_the_rest_is_read(
    folder: Path, library: Library, port: int
) -> None:
    Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9.md")).write_text("A lamp.")
    said = run("ingest", str(folder), port=port)
    assert said.returncode == 2
    assert "its name is not UTF-8: rename the file" in said.stdout
    assert "notes/a.md" in library.documents


def test_a_document_that_the_service_refuses_ends_with_2_and_stops_no_other(
    folder: Path, library: Library, port: int
) -> None:
    (folder / "a.md").write_text("refuse me")
    said = run("ingest", str(folder), port=port)
    assert said.returncode == 2
    assert "notes/a.md: refused" in said.stdout
    assert "1 failed" in said.stdout
    assert len(library.documents) == 2


def test_a_file_with_nothing_to_read_is_skipped_in_a_folder_and_fails_by_name(
    folder: Path, library: Library, port: int
) -> None:
    (folder / "__init__.py").write_text("import only")
    said = run("ingest", str(folder), port=port)
    assert (said.returncode, "skipped notes/__init__.py: no functions" in said.stdout) == (0, True)
    assert "3 new, 3 skipped" in said.stdout
    assert run("ingest", str(folder / "__init__.py"), port=port).returncode == 2


def test_a_document_without_a_reply_is_a_failure_and_stops_no_other(
    folder: Path, library: Library, port: int
) -> None:
    (folder / "a.md").write_text("I take long.")
    said = run("ingest", str(folder), port=port, NIGHTSCHOOL_DOCUMENT_SECONDS="0.1")  # for each of 8
    assert (said.returncode, "1 failed" in said.stdout) == (2, True)
    assert "notes/a.md: the service answers, but not about this document" in said.stdout
    assert {"notes/README", "notes/deep/b.csv"} <= set(library.documents)


def test_a_document_may_take_as_long_as_the_service_gives_it_while_others_are_read(
    folder: Path, library: Library, port: int
) -> None:
    (folder / "a.md").write_text("I take long.")
    said = run("ingest", str(folder), port=port, NIGHTSCHOOL_DOCUMENT_SECONDS="1")
    assert (said.returncode, "3 new" in said.stdout) == (0, True)


def test_a_service_that_answers_no_more_ends_the_command(folder: Path, library: Library, port: int) -> None:
    (folder / "a.md").write_text("I take long.")
    library.answers = False
    said = run("ingest", str(folder), port=port, NIGHTSCHOOL_DOCUMENT_SECONDS="0.1")
    assert (said.returncode, "the service does not answer" in said.stderr) == (1, True)


def test_notes_of_the_service_are_shown(folder: Path, port: int) -> None:
    (folder / "a.md").write_text("Eine Lampe.")
    assert "in another language" in run("ingest", str(folder), port=port).stdout


def test_tables_are_sent_as_triples_where_asked(tmp_path: Path, library: Library, port: int) -> None:
    (tmp_path / "animals.csv").write_text("dog,is a kind of,mammal\n")
    (tmp_path / "notes.md").write_text("# Notes\n\nDogs bark.\n")
    assert run("ingest", str(tmp_path), port=port).returncode == 0
    assert run("ingest", "--triples", str(tmp_path), port=port).returncode == 0
    assert sorted(library.types[:2]) == ["text/csv", "text/markdown"]
    assert sorted(library.types[2:]) == ["text/markdown", "text/x-triples"]


def test_documents_are_removed_by_name(folder: Path, library: Library, port: int) -> None:
    run("ingest", str(folder), port=port)
    said = run("ingest", "--remove", "notes/a.md", port=port)
    assert (said.returncode, "notes/a.md: removed (1 passages" in said.stdout) == (0, True)
    assert "notes/a.md" not in library.documents
    missing = run("ingest", "--remove", "notes/a.md", port=port)
    assert (missing.returncode, "not stored in the domain general" in missing.stdout) == (2, True)


@pytest.mark.parametrize(
    "options", [("--remove", "--watch"), ("--remove", "--prune"), ("--dry-run", "--watch")]
)
def test_options_that_contradict_each_other_are_refused(options: tuple[str, ...], port: int) -> None:
    assert run("ingest", "x.md", *options, port=port).returncode == 2


@pytest.mark.parametrize("name", ["cafe\u0301.md", "Scan\u202fat 9.md", "a\u00a0b.md"])
def test_documents_whose_names_are_normalised_survive_pruning(
    folder: Path, library: Library, port: int, name: str
) -> None:
    (folder / name).write_text("A lamp.")
    for _ in range(2):
        said = run("ingest", str(folder), "--prune", port=port)
        assert "removed" not in said.stdout
    assert checked_source(f"notes/{name}") in library.documents
    (folder / name).unlink()
    assert "1 removed" in run("ingest", str(folder), "--prune", port=port).stdout


def test_a_folder_whose_own_name_is_normalised_is_pruned(tmp_path: Path, library: Library, port: int) -> None:
    made = tmp_path / "cafe\u0301"
    made.mkdir()
    (made / "a.md").write_text("A lamp.")
    library.documents["caf\u00e9/gone.md"] = b"x"
    run("ingest", str(made), "--prune", port=port)
    assert list(library.documents) == ["caf\u00e9/a.md"]


def test_a_folder_that_cannot_be_read_is_named_and_its_documents_stay(
    folder: Path, library: Library, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("ingest", str(folder), port=port)
    library.documents["notes/deeper.md"] = b"x"
    scan = os.scandir

    def refused(path: str) -> object:
        if str(path).endswith("deep"):
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refused)
    said = run("ingest", str(folder), "--prune", port=port)
    assert f"skipped {folder}/deep: cannot be read: Permission denied" in said.stdout
    assert "notes/deep/b.csv" in library.documents
    assert "notes/deeper.md" not in library.documents


def test_a_folder_that_became_a_link_is_named_and_its_documents_stay(
    folder: Path, library: Library, port: int
) -> None:
    run("ingest", str(folder), port=port)
    (folder / "deep").rename(folder.parent / "elsewhere")
    (folder / "deep").symlink_to(folder.parent / "elsewhere")
    said = run("ingest", str(folder), "--prune", port=port)
    assert "deep: a link to a folder: ingest that one" in said.stdout
    assert "notes/deep/b.csv" in library.documents


def test_two_targets_with_documents_of_the_same_name_are_refused(tmp_path: Path, port: int) -> None:
    first, second = tmp_path / "a" / "docs", tmp_path / "b" / "docs"
    for each in (first, second):
        each.mkdir(parents=True)
        (each / "x.md").write_text("A lamp.")
    (second / "y.md").write_text("A lamp.")
    for one, other in ((first, second), (second / "y.md", first), (first / "x.md", second / "x.md")):
        said = run("ingest", str(one), str(other), port=port)
        assert said.returncode == 2
        assert "documents of both would be named docs/" in said.stderr
    assert run("ingest", str(first), str(first / "x.md"), port=port).returncode == 0
    assert run("ingest", str(first / "x.md"), str(second / "y.md"), port=port).returncode == 0


@contextmanager
def watching(folder: Path, port: int) -> Iterator["subprocess.Popen[str]"]:
    """A command that watches the folder, until Ctrl-C at the block's end."""
    variables = {"NIGHTSCHOOL_API_PORT": str(port), "NIGHTSCHOOL_HOME": str(folder.parent / "home")}
    with subprocess.Popen(
        [NIGHTSCHOOL, "ingest", str(folder), "--watch"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | variables,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background ignores it
    ) as watcher:
        try:
            yield watcher
            watcher.send_signal(signal.SIGINT)
            assert watcher.wait(30) == 0
        finally:
            watcher.kill()


@pytest.mark.slow
def test_watching_follows_changes_until_ctrl_c(folder: Path, library: Library, port: int) -> None:
    with watching(folder, port) as watcher:
        assert watcher.stdout is not None
        lines = iter(watcher.stdout.readline, "")
        assert any("Watching" in line for line in lines)
        time.sleep(1)
        (folder / "new.md").write_text("A new lamp.")
        (folder / ".hidden.md").write_text("Hidden.")
        assert until(lambda: "notes/new.md" in library.documents)
        (folder / "a.md").write_text("A lamp burns oil.")
        assert until(lambda: library.documents["notes/a.md"] == b"A lamp burns oil.")
        (folder / "deep" / "b.csv").unlink()
        assert until(lambda: "notes/deep/b.csv" not in library.documents)
        (folder / "new.md").rename(folder / "renamed.md")
        assert until(
            lambda: "notes/renamed.md" in library.documents and "notes/new.md" not in library.documents
        )
    assert "notes/.hidden.md" not in library.documents


@pytest.mark.slow
def test_what_is_added_while_the_folder_is_first_read_is_not_lost(
    folder: Path, library: Library, port: int
) -> None:
    (folder / "a.md").write_text("I take long.")
    with watching(folder, port):
        assert until(lambda: "notes/README" in library.documents)
        (folder / "new.md").write_text("A new lamp.")
        assert "notes/a.md" not in library.documents
        assert until(lambda: "notes/new.md" in library.documents)


@pytest.fixture
def ingestion(port: int) -> Iterator[Ingestion]:
    with connect(f"http://127.0.0.1:{port}", None) as client:
        yield Ingestion(client, "general", 10_000, 10.0, dry_run=False, triples=False)


def test_a_folder_that_is_moved_in_is_read(folder: Path, library: Library, ingestion: Ingestion) -> None:
    ingestion.follow([folder], [Changes(frozenset({folder / "deep"}))])
    assert list(library.documents) == ["notes/deep/b.csv"]


def test_a_changed_link_to_a_file_is_read(folder: Path, library: Library, ingestion: Ingestion) -> None:
    (folder.parent / "elsewhere.md").write_text("A lamp.")
    (folder / "link.md").symlink_to(folder.parent / "elsewhere.md")
    ingestion.follow([folder], [Changes(frozenset({folder / "link.md"}))])
    assert list(library.documents) == ["notes/link.md"]


def test_changes_wait_while_the_service_fails(
    folder: Path, library: Library, ingestion: Ingestion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.cli.ingestion.RETRY_SECONDS", 0.0)
    library.failures = 2
    changes = Changes(frozenset({folder / "a.md"}))
    ingestion.follow([folder], [changes, Changes(), Changes()])
    assert list(library.documents) == ["notes/a.md"]
    assert ingestion.failed == 0


def test_the_documents_of_a_watched_folder_that_vanishes_stay(
    folder: Path, library: Library, ingestion: Ingestion, capsys: pytest.CaptureFixture[str]
) -> None:
    library.documents["notes/a.md"] = b"x"
    folder.rename(folder.parent / "moved")
    ingestion.follow([folder], [Changes(deleted=frozenset({folder, folder / "a.md"}))])
    assert list(library.documents) == ["notes/a.md"]
    assert "the folder is gone; its documents stay" in capsys.readouterr().out


def until(holds: Callable[[], bool]) -> bool:
    """Whether it holds within half a minute."""
    deadline = time.monotonic() + 30
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.1)
    return holds()
