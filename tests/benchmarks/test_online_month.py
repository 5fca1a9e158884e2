"""A shortened month of the simulated population against the real app over shipped fakes."""

from collections.abc import Sequence
from pathlib import Path

import httpx
import pytest

from benchmarks.online import steps
from benchmarks.online.chatting import chat_round
from benchmarks.online.client import Client, now
from benchmarks.online.month import Month, Scale
from benchmarks.online.population import User, annotators, population
from benchmarks.online.questions import prompts
from benchmarks.online.records import Weeks
from graphs.state import Runtime
from tests.api.conftest import Serve, build, client, clock, empty_runs, home, runtime, serve
from tests.support.preference_trainers import with_style

pytestmark = pytest.mark.services
__all__ = ["build", "client", "clock", "empty_runs", "home", "runtime", "serve"]

SMALL = Scale(
    rounds=1, sampled=40, least_pairs=5, trial_rounds=3, minimum=10, planned=400, held_out=12, known=0
)
USERS = 60


def month(http: httpx.AsyncClient, path: Path, users: Sequence[User], scale: Scale = SMALL) -> Month:
    return Month(
        client=Client(http),
        base="nightschool",
        users=users,
        prompts=prompts(),
        known=(),
        weeks=Weeks(path / "weeks.jsonl"),
        scale=scale,
    )


async def test_a_round_of_chats_is_logged_by_pseudonym_with_its_feedback(client: httpx.AsyncClient) -> None:
    users, asked = population(40), prompts().asked(40, "round")
    traffic = await chat_round(Client(client), users, asked, label="round")
    turns = (await client.get("/v1/interactions", params={"limit": 1000})).json()
    assert len(turns) == traffic.turns == 40 + traffic.regenerated + traffic.continued
    units = {turn["unit"] for turn in turns}
    assert len(units) == 40
    assert units.isdisjoint(user.name for user in users)
    export = (await client.get("/v1/interactions/export")).text.splitlines()
    assert sum('"feedback":[{' in line for line in export) == traffic.feedback > 0


async def test_annotators_judge_every_item_of_a_batch_and_the_careless_one_is_found(
    serve: Serve, runtime: Runtime
) -> None:
    async with serve(with_style(runtime)) as http:
        client, since, users = Client(http), now(), population(60)
        await chat_round(client, users, prompts().asked(60, "round"), label="round")
        sampled = await steps.sample(client, "monday", since=since, count=60, seed=1)
        gold = await steps.mark_gold(client, "monday")
        judged = await steps.annotate(client, annotators(careless=1), seed=1)
        assert gold >= 5
        assert judged == sampled - gold + 3 * gold
        left = await client.get("/v1/annotation/items", batch="monday", status="open")
        assert [item for item in left["items"] if item["gold"] is None] == []
        assert await steps.careless(client) == ("careless-0",)


async def test_a_month_ends_with_the_brief_and_polite_adapter_live_and_a_poisoned_week_harms_nobody(
    serve: Serve, runtime: Runtime, tmp_path: Path
) -> None:
    async with serve(with_style(runtime)) as http:
        lived = month(http, tmp_path, population(USERS))
        await lived.run(1, poisoned=True)
        again = month(http, tmp_path, population(USERS))
        await again.run(1, poisoned=True)
    first, poisoned = lived.weeks.all
    assert first.recovered == pytest.approx(1, abs=0.2), "annotators are noisy, but not wrong"
    assert first.experiments == {"week-1": "promoted"}, first.notes
    assert first.promoted
    assert first.win_rate > 0.9
    assert poisoned.careless == ("careless-0",)
    assert poisoned.win_over_before >= 0.5
    assert again.weeks.all == lived.weeks.all, "a week that is kept is not lived again"


async def test_an_undecided_experiment_goes_on_in_the_next_week_which_trains_nothing_before(
    serve: Serve, runtime: Runtime, tmp_path: Path
) -> None:
    never = SMALL.model_copy(update={"trial_rounds": 1, "minimum": USERS})
    async with serve(with_style(runtime)) as http:
        lived = month(http, tmp_path, population(USERS), never)
        await lived.run(2, poisoned=False)
        (running,) = (await http.get("/v1/experiments", params={"status": "running"})).json()
        await http.post(f"/v1/experiments/{running['id']}/stop", json={"reason": "it never ends"})
        await lived.run(3, poisoned=False)
    first, second, third = lived.weeks.all
    assert first.experiments == second.experiments == {"week-1": "running"}, first.notes
    assert first.candidate is not None
    assert (second.rounds, second.sampled, second.candidate) == (1, 0, None)
    assert third.candidate is not None
    assert list(third.experiments) == ["week-3"]
