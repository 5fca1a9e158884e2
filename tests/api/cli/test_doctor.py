"""`nightschool doctor` finds what is wrong, says what to do, and fails only where something is broken."""

import json
import socket
import sqlite3
import subprocess
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import JSONResponse
from starlette.routing import Route

from agent.settings import Settings
from api.cli.checks import Finding, disk, embedding, engine, home, packages, ports, service
from api.cli.running import announced
from api.cli.store_checks import adapters, database, graph, library
from tests.support.cards import model_folder
from tests.support.commands import run, stub
from tests.support.storage import BUCKET, SECRET, check_credentials, storage

__all__ = ["storage"]

CHECKS = {
    "processor", "memory", "GPU", "packages", "trainer", "home folder", "disk of the home folder",
    "disk of the models", "port of the api", "database", "library", "graph",
    "embedding model", "model card", "engine", "teacher", "service",
}  # fmt: skip


def doctor(tmp_path: Path, *options: str, **settings: str) -> "subprocess.CompletedProcess[str]":
    """Runs it on a home folder and a model of its own."""
    model = tmp_path / "model"
    if not model.exists():
        model_folder(model)
    given = {"NIGHTSCHOOL_HOME": str(tmp_path / "home"), "NIGHTSCHOOL_MODEL": str(model)} | settings
    return run("doctor", *options, port=free_port(), **given)


def findings(printed: str) -> dict[str, dict[str, Any]]:
    """The findings that --json printed, by their check."""
    rows = [json.loads(line) for line in printed.splitlines()]
    return {row["check"]: row for row in rows}


def only(check: Any, **settings: Any) -> Finding:
    """The one finding of a check."""
    (finding,) = check(Settings(**settings))
    assert isinstance(finding, Finding)
    return finding


@pytest.mark.slow
def test_a_machine_that_was_set_up_passes_every_check(tmp_path: Path) -> None:
    done = doctor(tmp_path, "--json")
    found = findings(done.stdout)
    assert done.returncode == 0, done.stdout
    assert found.keys() == CHECKS
    assert all(row["action"] for row in found.values() if row["status"] != "ok")


def test_what_failed_is_one_line_with_what_to_do_and_exit_code_1(tmp_path: Path) -> None:
    done = doctor(tmp_path, NIGHTSCHOOL_MODEL="/nowhere", NIGHTSCHOOL_GRAPH_URL="redis://127.0.0.1:1")
    assert done.returncode == 1
    failed = [line for line in done.stdout.splitlines() if line.startswith("failed")]
    assert [line.split()[1] for line in failed] == ["graph", "model"]
    assert all(" -> " in line for line in failed)


def test_a_taken_port_is_named_with_its_setting() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = int(taken.getsockname()[1])
        found = next(iter(ports(Settings(api_port=port))))
    assert (found.status, "NIGHTSCHOOL_API_PORT" in found.action) == ("failed", True)


def test_a_home_folder_below_a_file_fails(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert only(home, home=tmp_path / "file" / "home").status == "failed"
    assert only(home, home=tmp_path / "new" / "home").status == "ok"


def test_a_full_disk_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from api.cli import checks

    monkeypatch.setattr(checks, "MIN_DISK", 1 << 62)
    assert {found.status for found in disk(Settings(home=tmp_path, models=tmp_path))} == {"failed"}


def test_a_damaged_database_fails(tmp_path: Path) -> None:
    (tmp_path / "nightschool.db").write_text("not a database at all, but text that is long enough")
    assert only(database, home=tmp_path).status == "failed"


def test_a_sound_database_passes(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "nightschool.db") as connection:
        connection.execute("CREATE TABLE t (x)")
    assert only(database, home=tmp_path).status == "ok"


@pytest.mark.parametrize("url", ["postgresql://127.0.0.1:1/x", "mysql://127.0.0.1/x", "nonsense"])
def test_a_database_that_does_not_answer_fails(url: str) -> None:
    found = only(database, database_url=url)
    assert (found.status, found.action != "") == ("failed", True)


def test_an_empty_library_passes(tmp_path: Path) -> None:
    (tmp_path / "episodic").mkdir()
    assert only(library, home=tmp_path).detail.startswith("LanceDB, 0 rows")


@pytest.mark.services
def test_a_storage_of_adapters_that_does_not_answer_fails(storage: str, tmp_path: Path) -> None:
    assert [*adapters(Settings(home=tmp_path))] == []
    url = f"s3://{BUCKET}/adapters"
    assert only(adapters, home=tmp_path, adapters_url=url).status == "ok"
    assert only(adapters, home=tmp_path, adapters_url="s3://no-such-bucket/x").status == "failed"
    check_credentials(storage)
    found = only(adapters, home=tmp_path, adapters_url=url)
    assert (found.status, SECRET in found.detail) == ("failed", False)
    assert "AWS_" in found.action


@pytest.mark.slow
def test_a_graph_server_that_is_away_fails_and_the_embedded_one_passes(tmp_path: Path) -> None:
    assert only(graph, graph_url="redis://127.0.0.1:1").status == "failed"
    assert only(graph, home=tmp_path).status == "ok"


@pytest.mark.parametrize(("status", "expected"), [(200, "ok"), (503, "failed")])
def test_the_engine_is_asked_at_its_url(status: int, expected: str) -> None:
    with stub([Route("/health", lambda request: JSONResponse({}, status_code=status))]) as port:
        assert only(engine, engine_url=f"http://127.0.0.1:{port}").status == expected


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from api.cli import checks

    monkeypatch.setattr(checks, "_version", lambda package: None)
    assert only(embedding).status == "failed"
    assert only(engine).action.startswith("pip install")
    assert only(packages).status == "warning"


def test_a_part_of_a_running_service_that_is_broken_fails(tmp_path: Path) -> None:
    state = {"ready": False, "parts": {"engine": "ok", "database": "no answer"}}
    with (
        stub([Route("/readyz", lambda request: JSONResponse(state, status_code=503))]) as port,
        announced(Settings(home=tmp_path, api_port=port)),
    ):
        found = only(service, home=tmp_path)
    assert (found.status, found.detail) == ("failed", "database: no answer")


def free_port() -> int:
    """A port of this machine that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
