"""`nightschool up` keeps its parts running, loses nothing when one is killed, and stops cleanly."""

import os
import signal
import time
from pathlib import Path

import pytest

from api.cli.client import Refused, Unreachable
from tests.support.stack import STOP_SECONDS, Stack

pytestmark = [pytest.mark.services, pytest.mark.timeout(600)]

NOTES = b"# Lamps\n\nA zorble is a small green lamp that burns oil. A zorble prevents darkness in rooms.\n"


def test_it_is_ready_and_answers(service: Stack) -> None:
    assert service.client.get("/readyz")["ready"]
    ids = [model["id"] for model in service.client.get("/v1/models")["data"]]
    assert ids[:2] == ["auto", "nightschool"]
    said = service.run("chat", "What is a library?")
    assert said.returncode == 0, said.stderr
    assert "entropy" in said.stdout


def test_a_second_one_on_the_same_home_is_refused(service: Stack) -> None:
    said = service.run("up")
    assert said.returncode == 2
    assert "another `nightschool up` runs" in said.stderr


@pytest.mark.parametrize("name", ["graph", "worker", "api", "engine"])
def test_a_killed_part_comes_back_and_nothing_acknowledged_is_lost(service: Stack, name: str) -> None:
    source = f"lamps-{name}.md"
    query = {"source": source, "domain": "lamps"}
    service.client.upload("/v1/documents", NOTES, "text/markdown", query)
    starts = service.said(f"{name:<6} | ready after")
    os.kill(service.pid(name), signal.SIGKILL)
    service.await_said(rf"^{name} +\| ready after", times=starts + 1)
    _await_ready(service)
    assert source in service.client.get("/v1/documents", domain="lamps")["sources"]
    assert service.client.upload("/v1/documents", NOTES, "text/markdown", query)["unchanged"] == 1


def test_nothing_in_the_home_folder_is_readable_for_other_users(service: Stack) -> None:
    home = Path(service.environment["NIGHTSCHOOL_HOME"])
    found = [home, *home.rglob("*")]
    assert {"nightschool.db", "training.db", "mlflow.db", "graph.sock", "engine.sock"} <= {
        path.name for path in found
    }
    open_to_others = {path for path in found if not path.is_symlink() and path.stat().st_mode & 0o077}
    assert open_to_others == set((home / "keys" / "public").glob("*")), "public keys may be read by all"


def test_one_interrupt_stops_everything_within_ten_seconds(service: Stack) -> None:
    """Stays last, in the last file that uses the session's service: another one takes a minute to start."""
    pids = [service.pid(name) for name in ("graph", "engine", "worker", "api")]
    killed = service.said("killing it")
    began = time.monotonic()
    service.process.send_signal(signal.SIGINT)
    assert service.process.wait(2 * STOP_SECONDS) == 0
    assert time.monotonic() - began < STOP_SECONDS
    assert [pid for pid in pids if Path(f"/proc/{pid}").exists()] == []
    assert service.said("killing it") == killed


def _await_ready(service: Stack) -> None:
    deadline = time.monotonic() + 300
    while True:
        try:
            if service.client.get("/readyz")["ready"]:
                return
        except (Refused, Unreachable):
            assert time.monotonic() < deadline
            time.sleep(0.3)
