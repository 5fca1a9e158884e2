"""`nightschool night` runs, shows, stops and schedules nights of a running service, and takes decisions."""

import asyncio
import json
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from graphs.state import Runtime
from memory.nights.attacks import Attacks
from tests.api.conftest import Listen, build, clock, empty_runs, home, listen, runtime
from tests.support.commands import run
from tests.support.interactions import interaction
from tests.support.nights import attack, golden, night, revision

__all__ = ["build", "clock", "empty_runs", "home", "listen", "runtime"]

pytestmark = pytest.mark.slow


class Command:
    """`nightschool night` towards one service."""

    def __init__(self, url: str) -> None:
        self._port = urlsplit(url).port or 0

    async def done(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return await asyncio.to_thread(run, "night", *arguments, port=self._port)

    async def __call__(self, *arguments: str) -> str:
        done = await self.done(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    async def rows(self, *arguments: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (await self(*arguments, "--json")).splitlines()]

    async def refused(self, *arguments: str) -> tuple[int, str]:
        done = await self.done(*arguments)
        return done.returncode, done.stderr


async def test_a_night_from_its_start_to_its_report(listen: Listen, tmp_path: Path) -> None:
    async with listen(learning=True) as url:
        command = Command(url)
        assert (await command.refused("report"))[0] == 2
        (over,) = await command.rows("run", "rust", "--no-train", "--follow")
        assert (over["status"], over["options"]["train"]) == ("skipped", False)
        assert over["reason"] in await command("status")
        assert [each["id"] for each in await command.rows("list")] == [over["id"]]
        assert "## People should look at" in await command("report")
        (report,) = await command.rows("report", over["id"])
        assert report["night_id"] == over["id"]
        page, picture = tmp_path / "night.md", tmp_path / "nights.png"
        said = await command("report", "--markdown", str(page), "--plot", str(picture))
        assert said.count("Written:") == 2
        assert page.read_text().startswith("# Night of")
        assert picture.read_bytes().startswith(b"\x89PNG")
        code, error = await command.refused("report", "--markdown", str(tmp_path / "nowhere" / "x.md"))
        assert (code, "check the path" in error) == (2, True)
        code, error = await command.refused("stop", over["id"])
        assert (code, "has ended" in error) == (2, True)


async def test_a_night_that_waits_is_stopped(listen: Listen, runtime: Runtime) -> None:
    for number in range(10):
        await runtime.interactions.save(interaction(f"i{number}", created_at=runtime.clock()))
    async with listen(runtime, learning=True) as url:
        command = Command(url)
        (begun,) = await command.rows("run")
        assert begun["status"] == "waiting"
        assert (await command.refused("run"))[0] == 2
        assert "is stopped" in await command("stop", begun["id"])
        assert "stopped" in await command("status", begun["id"])


async def test_nights_are_scheduled_listed_and_no_longer_scheduled(listen: Listen) -> None:
    async with listen(learning=True) as url:
        command = Command(url)
        said = await command("schedule", "rust", "--at", "03:15", "--timezone", "Europe/Berlin")
        assert "Nights of rust start at 03:15 Europe/Berlin" in said
        (listed,) = await command.rows("schedule", "--list")
        assert (listed["domain"], listed["at"]) == ("rust", "03:15")
        assert "no longer scheduled" in await command("schedule", "rust", "--off")
        assert await command.rows("schedule", "--list") == []
        assert (await command.refused("schedule"))[0] == 2
        assert (await command.refused("schedule", "rust", "--list"))[0] == 2
        code, error = await command.refused("schedule", "rust", "--timezone", "Mars/Olympus")
        assert (code, "unknown time zone" in error) == (2, True)


async def test_the_queue_is_listed_and_decided(listen: Listen, runtime: Runtime) -> None:
    await runtime.nights.begin(night())
    await runtime.interactions.save(interaction("i1"))
    await runtime.nights.save_revision(revision(status="needs_person"))
    await runtime.nights.save_golden([golden(status="waiting")])
    async with listen(runtime) as url:
        command = Command(url)
        queue = await command.rows("queue")
        assert [(each["kind"], each["id"]) for each in queue] == [("revision", "r1"), ("golden", "g1")]
        assert "r1 is approved" in await command("queue", "approve", "r1")
        assert "g1 is declined" in await command("queue", "decline", "g1")
        assert await command.rows("queue") == []
        code, error = await command.refused("queue", "approve", "x1")
        assert (code, "no revision and no golden pair x1" in error) == (2, True)


async def test_attacks_that_the_model_fell_for_are_listed_and_all_on_request(
    listen: Listen, runtime: Runtime
) -> None:
    await runtime.interactions.save(interaction("i1"))
    for each in (attack("x1"), attack("x2", result="held")):
        await Attacks(runtime.database).save(each)
    async with listen(runtime, learning=True) as url:
        command = Command(url)
        assert [each["id"] for each in await command.rows("attacks")] == ["x1"]
        assert len(await command.rows("attacks", "--all", "--domain", "rust")) == 2
        assert await command.rows("attacks", "n2") == []
        assert "false premise" in await command("attacks", "n1")
