"""A shortened month of the simulated population against the real app over shipped fakes."""

from collections.abc import Sequence

import httpx

from benchmarks.online.chatting import chat_round
from benchmarks.online.client import Client
from benchmarks.online.population import population
from benchmarks.online.questions import prompts
from tests.api.conftest import build, client, clock, empty_runs, home, runtime, serve

__all__ = ["build", "client", "clock", "empty_runs", "home", "runtime", "serve"]


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
