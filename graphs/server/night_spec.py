"""The graph spec of the night graph: validates its input, and begins, continues and fails nights."""

from datetime import datetime, timedelta
from typing import Any

from pydantic import BaseModel, ConfigDict

from agent.nights.collect import covered_until
from agent.nights.revision.strategies import strategies_named
from graphs.night import build
from graphs.server.graph_spec import ClientRights, FailureKind, Graph, validated, validated_update
from graphs.state import NightState, Runtime
from memory.checkpoints.savers import Saver
from memory.errors import AdminsOnly, AlreadyExists, UnknownNight
from memory.records.access import Access
from memory.records.base import Domain
from memory.records.moments import ZonedMoment
from memory.records.nights import Night, NightOptions
from memory.server.threads import Json

GRAPH = "night"
DAY = timedelta(days=1)
RECENT_NIGHTS = 50
"""Nights among which the last one of an unbroken series is looked for."""
STEPS = 60
"""Most graph steps of a night: a dozen, and three for each training and each repetition of one."""
AT_LEAST = ("minimum_turns", "minimum_examples", "spot_check", "improvement", "quiet_requests")
"""Options of which only admins may ask for less than the default."""
AT_MOST = (
    "max_turns",
    "max_revisions",
    "attempts",
    "per_topic",
    "explore_gaps",
    "attacks",
    "window_minutes",
)
"""Options of which only admins may ask for more than the default."""


class NightSettings(BaseModel):
    """What an assistant of the night graph may set."""

    model_config = ConfigDict(extra="forbid")

    domain: Domain | None = None
    """None for the domain of questions that match no adapter."""
    options: NightOptions = NightOptions()


class NightInput(NightSettings):
    """Which turns a night goes over, and what it does."""

    since: ZonedMoment | None = None
    """None for the end of the domain's last night, or a day before `until`."""
    until: ZonedMoment | None = None
    """None for now; not in the future, where turns are still to come."""


def check_options(options: NightOptions, access: Access) -> None:
    """Raises AdminsOnly for options that ask for more than a night does by default, unless it is an admin's.

    A night teaches the adapter that answers everybody in its domain, and others wait for it.
    """
    if access.everything:
        return
    if options.teach_statements:
        raise AdminsOnly("options.teach_statements: only an admin may teach everybody what users stated")
    default = NightOptions()
    for name in (*AT_LEAST, *AT_MOST):
        value, usual = getattr(options, name), getattr(default, name)
        if value < usual if name in AT_LEAST else value > usual:
            bound = "less" if name in AT_LEAST else "more"
            raise AdminsOnly(f"options.{name}: only an admin may ask for {bound} than {usual}")


class NightSpec:
    """The night graph. A thread holds one night and has its id."""

    name = GRAPH
    description = "Goes over the day's turns: scores, revises, finds topics, and trains what was verified."
    recursion_limit = STEPS
    stored_modes: tuple[str, ...] = ("custom",)
    """Custom events are the progress within a step."""
    input: type[BaseModel] = NightInput
    options: type[BaseModel] = NightSettings
    rights = ClientRights()
    """None: a night can be started again from a checkpoint, but its steps all act on what is stored."""

    def __init__(self, runtime: Runtime, saver: Saver) -> None:
        self._runtime = runtime
        self.graph: Graph = build(runtime.limits).compile(checkpointer=saver)

    async def validate_input(self, thread_id: str, values: Json, options: Json, access: Access) -> Json:
        """See GraphSpec.validate_input: the night that waits.

        Raises AlreadyExists, DomainClosed, and AdminsOnly like `check_options`.
        """
        request: NightInput = validated(NightInput, options | values, "input")
        access.require_write(request.domain or self._runtime.base.domain)
        check_options(request.options, access)
        try:
            await self._runtime.nights.night(thread_id)
        except UnknownNight:
            return (await self._night(thread_id, request)).model_dump(mode="json")
        raise AlreadyExists(
            f"thread {thread_id} already has a night: resume it without input, or use another thread"
        )

    async def initial_state(
        self, thread_id: str, accepted: Json, *, asked_by: str | None, streamed: bool
    ) -> Json:
        """See GraphSpec.initial_state; also stores the night, and is safe to repeat.

        Raises AlreadyExists if another night of the domain waits or runs.
        """
        night = await self._runtime.nights.begin(Night.model_validate(accepted))
        return {"night_id": night.id, "domain": night.domain}

    async def update_on_resume(self, thread_id: str, values: Json, *, asked_by: str | None) -> Json:
        """See GraphSpec.update_on_resume: the window starts anew; a fork is a new night of the same period.

        Raises AlreadyExists if another night of the domain waits or runs.
        """
        nights, now = self._runtime.nights, self._runtime.clock()
        changes: Json = {"ending": None, "reason": ""}
        if values.get("training") is not None:
            changes["handed_over_at"] = now  # the wait for the trainer restarts too
        original = await nights.night(values["night_id"])
        # From an earlier checkpoint, what was handed over after it is handed over anew.
        handed_over = {
            kind: original.handed_over[kind]
            for kind in values.get("tried", ())
            if kind in original.handed_over
        }
        if original.id == thread_id:
            reopened = await nights.reopen(thread_id)
            await nights.update(reopened.model_copy(update={"handed_over": handed_over}))
            return changes
        fields = {"id": thread_id, "status": "waiting", "began_at": now, "handed_over": handed_over}
        copied = original.model_dump(include={"domain", "since", "until", "options", "steps"})
        await nights.begin(Night.model_validate(copied | fields))
        return changes | {"night_id": thread_id}

    def validate_answer(self, value: Any, by: str) -> Any:
        """See GraphSpec.validate_answer: a night has no interrupts."""
        raise ValueError("a night has no interrupts: send input instead of command.resume")

    async def record_answer(self, thread_id: str, answer: Any, *, checkpoint_id: str | None = None) -> None:
        """See GraphSpec.record_answer: a night has no interrupts."""

    async def record_update(self, thread_id: str, values: Json, *, by: str) -> None:
        """See GraphSpec.record_update: nobody changes a night."""

    def validate_update(self, values: Json, by: str) -> Json:
        """See GraphSpec.validate_update."""
        return validated_update(NightState, values, self.rights.keys)

    async def record_failure(self, thread_id: str, kind: FailureKind, reason: str) -> None:
        """See GraphSpec.record_failure: the night ends, and can be resumed."""
        nights = self._runtime.nights
        try:
            night = await nights.night(thread_id)
        except UnknownNight:
            return  # it failed before it was stored
        if night.status in ("waiting", "running"):
            changes = {"status": kind, "reason": reason, "ended_at": self._runtime.clock()}
            await nights.update(night.model_copy(update=changes))

    async def _night(self, id: str, request: NightInput) -> Night:
        """The night that the input asks for. Raises ValueError for an empty period, one in the future, and
        unknown strategies."""
        strategies_named(request.options.strategies, self._runtime.card)
        now = self._runtime.clock()
        domain = request.domain or self._runtime.base.domain
        until = request.until or now
        if until > now:
            raise ValueError(f"until: {until} is in the future; leave it out to go over all turns so far")
        since = request.since or await self._begin(domain, until)
        if since >= until:
            raise ValueError(f"the period is empty: it begins at {since} and ends at {until}")
        excluded = tuple(sorted(self._runtime.excluded_owners.union(request.options.exclude_owners)))
        return Night(
            id=id,
            domain=domain,
            status="waiting",
            since=since,
            until=until,
            options=request.options.model_copy(update={"exclude_owners": excluded}),
            began_at=now,
        )

    async def _begin(self, domain: Domain, until: datetime) -> datetime:
        last = covered_until(await self._runtime.nights.nights(domain=domain, limit=RECENT_NIGHTS))
        return until - DAY if last is None or last >= until else last
