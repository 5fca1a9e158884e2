"""Commands find the api of their home folder, and no other one."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from starlette.responses import JSONResponse
from starlette.routing import Route

from agent.settings import Settings
from api.cli.running import FILE, announced, running_url, service_url
from tests.support.commands import NIGHTSCHOOL, stub


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment names no api."""
    for name in ("NIGHTSCHOOL_API_HOST", "NIGHTSCHOOL_API_PORT", "NIGHTSCHOOL_HOME"):
        monkeypatch.delenv(name, raising=False)


def test_a_running_api_is_found_until_it_stops(tmp_path: Path) -> None:
    there = Settings(home=tmp_path, api_port=8765)
    here = Settings(home=tmp_path)
    with announced(there):
        assert service_url(here) == "http://127.0.0.1:8765"
    assert service_url(here) == "http://127.0.0.1:8000"
    assert list(tmp_path.iterdir()) == []


def test_an_api_on_all_addresses_is_reached_on_this_machine(tmp_path: Path) -> None:
    with announced(Settings(home=tmp_path, api_host="0.0.0.0")):
        assert running_url(Settings(home=tmp_path)) == "http://127.0.0.1:8000"


def test_a_port_that_is_set_comes_first(tmp_path: Path) -> None:
    with announced(Settings(home=tmp_path, api_port=8765)):
        assert service_url(Settings(home=tmp_path, api_port=9000)) == "http://127.0.0.1:9000"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"url": "http://127.0.0.1:1", "pid": 999999999}'])
def test_what_a_killed_api_left_is_passed_over(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text)
    assert running_url(Settings(home=tmp_path)) is None


def test_a_later_apis_file_stays(tmp_path: Path) -> None:
    with announced(Settings(home=tmp_path)):
        (tmp_path / FILE).write_text(json.dumps({"url": "http://127.0.0.1:1", "pid": os.getppid()}))
    assert (tmp_path / FILE).exists()


def test_a_command_asks_the_api_of_its_home_folder(tmp_path: Path) -> None:
    with (
        stub([Route("/v1/gaps", lambda request: JSONResponse([]))]) as port,
        announced(Settings(home=tmp_path / ".nightschool", api_port=port)),
    ):
        done = subprocess.run(
            [NIGHTSCHOOL, "gaps"], cwd=tmp_path, capture_output=True, text=True, check=False
        )
    assert (done.returncode, done.stdout) == (0, "nothing yet\n")
