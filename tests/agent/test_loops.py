"""A background loop outlives every failure of its step, and says what is wrong for as long as it is."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from agent import loops
from agent.loops import Loop, Loops, do_all
from memory.errors import StoreUnavailable
from tests.graphs.conftest import eventually

FAILURES: tuple[BaseException, ...] = (
    StoreUnavailable("the disk is full"),
    ZeroDivisionError("a bug"),
    OSError(28, "No space left on device"),
    asyncio.CancelledError("something inside was cancelled"),
    TimeoutError(),
)


class Step:
    """Raises what is set; otherwise does nothing."""

    def __init__(self) -> None:
        self.error: BaseException | None = None
        self.turns = 0

    async def __call__(self) -> None:
        self.turns += 1
        if self.error is not None:
            raise self.error


@pytest.fixture
def step() -> Step:
    return Step()


@pytest.fixture
async def running(step: Step) -> AsyncIterator[Loops]:
    async with Loops() as opened:
        opened.start(Loop("work", step, every=0.0, waits_for=(ConnectionError,)))
        yield opened


def state(running: Loops, holds: Callable[[str | None], bool]) -> Callable[[], asyncio.Future[bool]]:
    async def found() -> bool:
        return holds(running.states["work"])

    return found  # type: ignore[return-value]


@pytest.mark.parametrize("error", FAILURES, ids=lambda error: type(error).__name__)
async def test_a_loop_goes_on_after_a_failure_and_names_it_until_it_is_over(
    running: Loops, step: Step, error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    step.error = error
    reason = str(error) or type(error).__name__
    await eventually(state(running, lambda problem: reason in (problem or "")))
    assert "work: " in caplog.text
    assert ("Traceback" in caplog.text) == (not isinstance(error, StoreUnavailable))
    step.error = None
    await eventually(state(running, lambda problem: problem is None))


async def test_failures_come_less_and_less_often(step: Step, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 40:
            raise KeyboardInterrupt

    step.error = ZeroDivisionError("a bug")
    monkeypatch.setattr(asyncio, "sleep", sleep)
    with pytest.raises(KeyboardInterrupt):
        await Loop("work", step, every=1.0).run()
    assert pauses[:4] == [2.0, 4.0, 8.0, loops.LONGEST_PAUSE]
    assert max(pauses) == loops.LONGEST_PAUSE


async def test_what_a_loop_waits_for_is_no_failure_of_its_own_and_is_logged_once(
    running: Loops, step: Step, caplog: pytest.LogCaptureFixture
) -> None:
    before = step.turns
    step.error = ConnectionError("the engine is away")

    async def several_turns() -> bool:
        return step.turns > before + 5

    await eventually(several_turns)
    assert running.states == {"work": None}
    assert caplog.text.count("the engine is away") == 1


async def test_a_step_that_never_ends_is_stuck() -> None:
    async with Loops() as running:
        running.start(Loop("work", asyncio.Event().wait, every=0.0, stuck_after=0.0))
        await eventually(state(running, lambda problem: "stuck" in (problem or "")))


async def test_one_bad_item_keeps_no_other_from_its_turn() -> None:
    done: list[int] = []

    async def act(number: int) -> None:
        if number % 2:
            raise ValueError(f"{number} is odd")
        done.append(number)

    with pytest.raises(ValueError, match="1 is odd"):
        await do_all(range(5), act)
    assert done == [0, 2, 4]
