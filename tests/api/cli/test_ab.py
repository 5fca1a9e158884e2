"""`nightschool ab` starts, shows and stops experiments of a running service."""

import asyncio
import json
from typing import Any
from urllib.parse import urlsplit

import pytest
import typer

from api.cli.ab import variants
from graphs.state import Runtime
from memory.records.experiments import CONTROL
from tests.api.conftest import Listen, build, clock, empty_runs, home, listen, runtime
from tests.support.commands import run
from tests.support.experiments import GENERAL, fill, served

__all__ = ["build", "clock", "empty_runs", "home", "listen", "runtime"]


@pytest.mark.slow
async def test_an_experiment_from_its_start_to_its_end(listen: Listen, runtime: Runtime) -> None:
    changed = served(runtime)
    async with listen(changed) as url:
        port = urlsplit(url).port
        assert port is not None

        async def ab(*arguments: str) -> str:
            done = await asyncio.to_thread(run, "ab", *arguments, port=port)
            assert done.returncode == 0, done.stderr
            return done.stdout

        options = ("--minimum", "30", "--holdout", "0", "--no-prove-guardrails", "--json")
        started = json.loads(
            await ab("start", "general", "--variant", f"polite={GENERAL.name}:0.4", *options)
        )
        assert [variant["share"] for variant in started["variants"]] == [0.6, 0.4]
        assert started["id"] in await ab("status")
        assert "covers 50%" in await ab("coverage", started["id"], "0.5")
        assert "waiting for the minimum of 30 units" in await ab("check")
        assert "polite needs 30 more users" in await ab("status", started["id"])
        assert changed.experiments is not None
        await fill(changed, await changed.experiments.store.get(started["id"]), {CONTROL: 0.5, "polite": 0.6})
        shown = await ab("status", started["id"])
        assert "engagement" in shown
        assert "no alarm" in shown
        (report,) = (json.loads(line) for line in (await ab("status", started["id"], "--json")).splitlines())
        assert report["lacking"] == {}
        assert "is stopped" in await ab("stop", started["id"], "--reason", "enough")
        assert "no experiment is running" in await ab("check")
        refused = await asyncio.to_thread(run, "ab", "stop", started["id"], "--reason", "again", port=port)
        assert (refused.returncode, "has ended" in refused.stderr) == (2, True)


def test_variants_are_read_from_the_options() -> None:
    assert variants(["a=rust-v1-0123abcd:0.3", "b=rust-v2-0123abcd"], ["a=Be brief.", "c=x = y"]) == [
        {"name": "a", "adapter": "rust-v1-0123abcd", "share": 0.3, "system_prompt": "Be brief."},
        {"name": "b", "adapter": "rust-v2-0123abcd", "share": None},
        {"name": "c", "system_prompt": "x = y"},
    ]


@pytest.mark.parametrize(
    ("adapters", "prompts", "said"),
    [
        (["rust-v1-0123abcd"], [], "write NAME=ADAPTER:SHARE"),
        (["a="], [], "write NAME=ADAPTER:SHARE"),
        (["a=x:0.5.5"], [], "is not a number"),
        (["a=x", "a=y"], [], "named twice"),
        ([], ["a"], "write NAME=TEXT"),
        ([], [], "name a variant"),
    ],
)
def test_options_that_name_no_variant_end_the_command(
    adapters: list[str], prompts: list[str], said: str, capsys: pytest.CaptureFixture[Any]
) -> None:
    with pytest.raises(typer.Exit) as ended:
        variants(adapters, prompts)
    assert ended.value.exit_code == 2
    assert said in capsys.readouterr().err
