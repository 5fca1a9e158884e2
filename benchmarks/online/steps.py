"""Requests of a week to the api: annotate, train a preference set, start an experiment, find adapters."""

import asyncio
from collections.abc import Sequence
from typing import Any

from benchmarks.online.client import Client, Json, pause
from benchmarks.online.population import Annotator
from benchmarks.online.tastes import POPULATION
from memory.records.base import Record

DOMAIN = "general"
"""The default domain: an adapter of it that was taught nothing answers every conversation."""
MAX_SAMPLED = 150
"""Items of one request, so that it takes minutes at most."""
GOLD = 12
"""Gold items of a batch: enough to tell an annotator who chooses at random."""
CLEAR = 0.25
"""Difference of utility from which on every honest annotator sees it."""
WORDS_A_SECOND = 4.0
"""Reading speed of honest annotators: 238 words a minute (Brysbaert 2019)."""
CARELESS_SECONDS = 2.0
"""What a careless one takes for any item."""


class Trained(Record):
    """How a training job ended."""

    adapter: str | None
    """None if nothing was registered."""
    passed: bool
    reasons: tuple[str, ...] = ()


async def sample(client: Client, batch: str, *, since: str, count: int, seed: int) -> int:
    """Draws interactions into a batch, each beside an alternative answer; returns how many.

    In several requests: one draws at most MAX_SAMPLED.
    """
    items, part = 0, 0
    while part * MAX_SAMPLED < count:
        request = {
            "batch": batch,
            "count": min(MAX_SAMPLED, count - part * MAX_SAMPLED),
            "since": since,
            "alternative": "sampled",
            "seed": 100 * seed + part,
        }
        items += (await client.post("/v1/annotation/sample", request))["items"]
        part += 1
    return items


async def mark_gold(client: Client, batch: str) -> int:
    """Marks the batch's clearest items as gold, as an operator would who knows the right choice."""
    listed = await client.get("/v1/annotation/items", batch=batch, status="open", limit=1000)
    gaps = {
        item["id"]: POPULATION.utility(item["a"]) - POPULATION.utility(item["b"]) for item in listed["items"]
    }
    clear = sorted(
        (item for item, gap in gaps.items() if abs(gap) >= CLEAR), key=lambda item: -abs(gaps[item])
    )
    for item in clear[:GOLD]:
        choice = "a" if gaps[item] > 0 else "b"
        await client.post(f"/v1/annotation/items/{item}/gold", {"choice": choice})
    return len(clear[:GOLD])


async def annotate(client: Client, annotators: Sequence[Annotator], *, seed: int) -> int:
    """Every annotator judges until nothing is left for it; returns the judgements."""
    return sum(await asyncio.gather(*(_judge(client, annotator, seed) for annotator in annotators)))


async def _judge(client: Client, annotator: Annotator, seed: int) -> int:
    judged = 0
    while (item := await client.get("/v1/annotation/next", annotator=annotator.name)) is not None:
        words = len(f"{item['a']} {item['b']}".split())
        await client.post(
            f"/v1/annotation/items/{item['item_id']}/judgement",
            {
                "annotator": annotator.name,
                "choice": annotator.choose(item["item_id"], item["a"], item["b"], seed),
                "seconds": CARELESS_SECONDS if annotator.careless else words / WORDS_A_SECOND,
            },
        )
        judged += 1
    return judged


async def careless(client: Client) -> tuple[str, ...]:
    """Annotators whose judgements the service leaves out."""
    found = await client.get("/v1/annotation/agreement")
    return tuple(each["annotator"] for each in found["annotators"] if each["careless"])


async def train(client: Client, digest: str) -> Trained:
    """Trains a preference set in the worker, and waits for its end."""
    await client.post(f"/v1/preferences/{digest}/train")
    while (job := await client.get(f"/v1/preferences/{digest}/training"))["result"] is None:
        await pause()
    result: Json = job["result"]
    name = result["adapter"]
    reasons: tuple[str, ...] = ()
    if name is not None:
        adapter = await client.get(f"/v1/adapters/{name}")
        reasons = tuple(
            f"{check['name']}: {check['figure']:.3f}, needs {check['goal']}"
            for check in adapter["verdict"]["checks"]
            if not check["passed"]
        )
    return Trained(
        adapter=name, passed=result["status"] == "candidate", reasons=reasons or (result["reason"],)
    )


async def live_adapter(client: Client) -> str | None:
    """Name of the domain's live adapter; None for the base model."""
    adapters = await client.get("/v1/adapters", domain=DOMAIN)
    return next((each["name"] for each in adapters if each["status"] == "live"), None)


async def running_experiment(client: Client, *, begun_anew: str) -> Json | None:
    """The experiment that an earlier week left undecided.

    One of the name `begun_anew` is stopped: it was left by a week that was broken off.
    """
    for each in await client.get("/v1/experiments", status="running"):
        if each["name"] != begun_anew:
            return dict(each)
        await client.post(f"/v1/experiments/{each['id']}/stop", {"reason": "the week begins anew"})
    return None


async def start_experiment(client: Client, name: str, adapter: str, **terms: Any) -> Json:
    """Starts an experiment of the adapter against what is live, half of the units each.

    Several hundred users cannot prove the guardrails' margins, so none may look violated instead.
    """
    request = {
        "name": name,
        "domain": DOMAIN,
        "variants": [{"name": "candidate", "adapter": adapter}],
        "prove_guardrails": False,
        **terms,
    }
    started: Json = await client.post("/v1/experiments", request)
    return started


async def base_model(client: Client) -> str:
    """Name of the base model, as chats request it."""
    listed = await client.get("/v1/models")
    return str(listed["data"][1]["id"])  # after `auto`


async def add_library(client: Client, passages: Sequence[tuple[str, str]]) -> None:
    """Reads the documents into the library; those that are there already change nothing."""
    for title, text in passages:
        await client.request(
            "POST",
            "/v1/documents",
            content=text.encode(),
            params={"source": f"{title}.txt", "title": title},
            headers={"Content-Type": "text/plain"},
        )


async def knowledge_lost(client: Client, adapter: str | None) -> float | None:
    """Accuracy on general questions that the base model has over the adapter, by the worker's evaluations.

    The base model's is in the record of the first adapter that the chain of parents goes back to.
    """
    if adapter is None:
        return 0.0
    live = first = await client.get(f"/v1/adapters/{adapter}")
    while first["parent"] is not None:
        first = await client.get(f"/v1/adapters/{first['parent']}")
    before, after = first["before"]["out_of_distribution"], live["after"]["out_of_distribution"]
    return float(before["accuracy"] - after["accuracy"]) if after["count"] else None
