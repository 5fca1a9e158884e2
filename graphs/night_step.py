"""Runs one step of a night: in its window, with retries, and with a report of how it went."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from langgraph.runtime import Runtime as Injected
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_exponential

from agent.errors import AgentError, EngineUnavailable
from graphs.night_waiting import is_over, wait
from graphs.state import Event, NightState, Runtime, Update, event
from memory.errors import StorageError, StoreUnavailable
from memory.language.counting import counted
from memory.records.access import Access
from memory.records.nights import Night, NightStep, StepReport, StepStatus


class StepResult(NamedTuple):
    """What came of a step."""

    status: StepStatus = "done"
    reason: str = ""
    figures: dict[str, float] = {}
    update: Update = {}
    """Changes to the graph's state."""


@dataclass
class StepContext:
    """What a step works with."""

    night: Night
    """As stored; the graph's state may be a client's and is not trusted."""
    runtime: Runtime
    state: NightState
    step: NightStep
    write: Callable[[Event], None]
    events: list[Event] = field(default_factory=list)

    @property
    def access(self) -> Access:
        """What the night may read: nothing private, and of closed domains only its own."""
        return self.runtime.access.shared(self.night.domain)

    def say(self, message: str, **figures: float) -> None:
        """Reports progress."""
        self.events.append(event(self.runtime, self.step, message, **figures))
        self.write(self.events[-1])

    @property
    def has_time(self) -> bool:
        """Whether the night's window is still open."""
        return not is_over(self.night, self.runtime.clock())


Step = Callable[[StepContext], Awaitable[StepResult]]


async def run_step(state: NightState, runtime: Injected[Runtime], *, name: NightStep, step: Step) -> Update:
    """Does the step and stores its report; a step that fails ends the night, and what was done stays.

    Raises UnknownNight, and ValueError if the night has ended.
    """
    context = runtime.context
    night = await context.nights.night(state["night_id"])
    if night.status == "waiting":  # it was resumed in its middle
        update = await wait(state, runtime)
        if "ending" in update:
            return update
        night = await context.nights.night(night.id)
    if night.status != "running":
        raise ValueError(f"night {night.id} has ended ({night.status}): start a new one")
    begun = context.clock()
    work = StepContext(night, context, state, name, runtime.stream_writer)
    if work.has_time:
        result = await _with_retries(work, step)
    else:
        minutes = counted(night.options.window_minutes, "minute")
        result = StepResult("stopped", f"the night's window of {minutes} ended before {name}")
    seconds = max(0.0, (context.clock() - begun).total_seconds())
    report = StepReport(
        step=name, status=result.status, reason=result.reason, figures=result.figures, seconds=seconds
    )
    await context.nights.add_step(night.id, report)
    work.say(f"{result.status}: {result.reason}" if result.reason else result.status, **result.figures)
    update = {**result.update, "events": work.events}
    if result.status in ("failed", "stopped"):
        update |= {"ending": result.status, "reason": f"{name}: {result.reason}"}
    return update


async def _with_retries(work: StepContext, step: Step) -> StepResult:
    limits = work.runtime.limits
    retrying = AsyncRetrying(
        stop=stop_after_attempt(limits.step_attempts),
        wait=wait_exponential(max=30),
        retry=retry_if_exception_type((EngineUnavailable, StoreUnavailable)),
        sleep=work.runtime.sleep,
        reraise=True,
    )
    try:
        async for attempt in retrying:
            with attempt:
                work.runtime.access.require_write(work.night.domain)
                return await step(work)
    except (AgentError, StorageError) as error:
        return StepResult("failed", str(error))
    raise AssertionError("the last attempt returns or raises")
