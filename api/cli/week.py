"""`nightschool week`: the steps from feedback to a better adapter, and which of them are due now."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from api.cli.shell import AsJson, console, print_json, service

if TYPE_CHECKING:
    from api.cli.client import Client

Json = Mapping[str, Any]
PAGE = 1000
MAX_TURNS = 10_000
"""Turns that are counted at most."""
FIRST_DAY = "1970-01-01"


class Step(NamedTuple):
    """One step of the week."""

    step: str
    due: bool
    state: str
    """What there is to do, or why there is nothing."""
    command: str


class Standing(NamedTuple):
    """What the service has of one domain."""

    domain: str
    since: str | None
    """End of the period that the last preference set was made from; None if there is none."""
    turns: int
    """Turns since then; MAX_TURNS if there are at least as many."""
    open_items: int
    judged: int
    """Judgements since then, of items drawn at any time."""
    untrained: tuple[str, ...]
    """Digests of preference sets that were never submitted, or whose training failed, newest first."""
    training: tuple[str, ...]
    """Digests of those that are being trained."""
    candidates: tuple[str, ...]
    """Adapters trained on preferences that passed their gates and are not live, newest first."""
    rejected: str | None
    """The newest adapter trained on preferences, if it failed a gate."""
    experiments: Sequence[Json]
    """The domain's experiments, newest first."""
    live: str | None


def week(
    domain: Annotated[str, typer.Option(help="The domain to look at.")] = "general", as_json: AsJson = False
) -> None:
    """Show the steps from feedback to a better adapter: what is due, and the command for it."""
    from api.cli.screen import table

    with service() as client:
        steps = steps_of(standing(client, domain), datetime.now(UTC))
    if as_json:
        print_json([step._asdict() for step in steps])
        return
    rows = [(step.step, "due" if step.due else "", step.state, step.command) for step in steps]
    console().print(table(("step", "", "state", "command"), rows, prose=["state"]))


def steps_of(found: Standing, now: datetime) -> tuple[Step, ...]:
    """The steps in their order."""
    period = f" since {found.since[:16].replace('T', ' ')}" if found.since else ""
    since = f" --since {found.since}" if found.since else ""
    turns = f"{found.turns}{'+' if found.turns >= MAX_TURNS else ''} turns{period}"
    batch = f"week-{now:%G-%V}"
    return (
        Step("export", found.turns > 0, turns, f"nightschool interactions export {batch}.jsonl{since}"),
        Step(
            "sample",
            found.turns > 0 and not found.open_items and not found.judged,
            "done" if found.open_items or found.judged else turns,
            f"nightschool annotate sample --batch {batch} --count 50 --domain {found.domain}{since}",
        ),
        Step(
            "annotate",
            found.open_items > 0,
            f"{found.open_items} items are open",
            "nightschool annotate next",
        ),
        Step(
            "build",
            found.judged > 0,
            f"{found.judged} judgements{period}",
            f"nightschool preferences build {found.domain}{since}",
        ),
        _train(found),
        _evaluate(found),
        _experiment(found),
        _deploy(found),
    )


def _train(found: Standing) -> Step:
    if found.training:
        state = f"{len(found.training)} sets are being trained"
        return Step("train", False, state, f"nightschool preferences train {found.training[0]} --follow")
    digest = found.untrained[0] if found.untrained else "DIGEST"
    state = f"{len(found.untrained)} sets are not trained"
    return Step("train", bool(found.untrained), state, f"nightschool preferences train {digest} --follow")


def _evaluate(found: Standing) -> Step:
    """The gates ran in training: what there is to do is to read their verdict."""
    if found.candidates:
        name = found.candidates[0]
        return Step("evaluate", False, f"{name} passed its gates", f"nightschool adapters show {name}")
    if found.rejected is not None:
        state = f"{found.rejected} failed a gate"
        return Step("evaluate", True, state, f"nightschool adapters show {found.rejected}")
    return Step("evaluate", False, "no new adapter", "nightschool adapters list")


def _experiment(found: Standing) -> Step:
    running = next((each for each in found.experiments if each["status"] == "running"), None)
    if running is not None:
        return Step("ab", True, f"{running['name']} is running", f"nightschool ab status {running['id']}")
    tried = {name for experiment in found.experiments for name in _adapters(experiment)}
    name = next((each for each in found.candidates if each not in tried), None)
    if name is None:
        return Step("ab", False, "no adapter to try", "nightschool ab status")
    command = f"nightschool ab start {found.domain} --variant candidate={name}"
    return Step("ab", True, f"{name} is not tried", command)


def _deploy(found: Standing) -> Step:
    """A winner is promoted by its experiment; what is left is an experiment that ended without one."""
    ended = found.experiments[0] if found.experiments else None
    state = f"{found.live or 'the base model'} is live"
    if ended is not None and ended["status"] == "stopped":
        tried = [name for name in found.candidates if name in _adapters(ended)]
        if tried:
            return Step(
                "deploy",
                True,
                f"{ended['name']} ended without a winner: {ended['log'][-1]['reason']}",
                f"nightschool adapters promote {tried[0]}",
            )
    return Step("deploy", False, state, f"nightschool adapters rollback {found.domain}")


def _adapters(experiment: Json) -> frozenset[str | None]:
    return frozenset(variant["adapter"] for variant in experiment["variants"])


def standing(client: "Client", domain: str) -> Standing:
    """Asks the service. Raises Unreachable, Refused."""
    sets = [each for each in client.entries("/v1/preferences", "digest") if each["domain"] == domain]
    ends = [each["until"] for each in sets if each["until"] is not None]
    since = max(ends) if ends else None
    versions = client.entries("/v1/adapters", "name", domain=domain)
    adapters = [each for each in versions if each["preferences"]]
    adapters.sort(key=lambda each: -each["version"])
    experiments = client.get("/v1/experiments", domain=domain, limit=PAGE)
    items = client.get("/v1/annotation/items", domain=domain, status="open", limit=PAGE)["items"]
    live = [each["name"] for each in versions if each["status"] == "live"]
    return Standing(
        domain=domain,
        since=since,
        turns=_turns(client, domain, since),
        open_items=sum(item["gold"] is None for item in items),
        judged=_judged(client, domain, since),
        untrained=tuple(each["digest"] for each in sets if each["training"] in (None, "failed")),
        training=tuple(each["digest"] for each in sets if each["training"] == "running"),
        candidates=tuple(each["name"] for each in adapters if each["status"] == "candidate"),
        rejected=adapters[0]["name"] if adapters and adapters[0]["status"] == "rejected" else None,
        experiments=experiments,
        live=live[0] if live else None,
    )


def _turns(client: "Client", domain: str, since: str | None) -> int:
    count, after = 0, None
    while count < MAX_TURNS:
        page: Sequence[Json] = client.get(
            "/v1/interactions", domain=domain, since=since, after=after, limit=PAGE
        )
        count += len(page)
        if len(page) < PAGE:
            break
        after = str(page[-1]["id"])
    return count


def _judged(client: "Client", domain: str, since: str | None) -> int:
    """Judgements since then, without skips; only a period leaves out the items that nobody judged."""
    export = client.download(
        "/v1/annotation/export", format="argilla", domain=domain, since=since or FIRST_DAY
    )
    chosen = [each for record in json.loads(export) for each in record["responses"].get("preference", ())]
    return sum(each["value"] != "skip" for each in chosen)
