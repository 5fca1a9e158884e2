"""Requests to one host keep their distance, by a clock of the test's."""

from memory.web.pace import HostPace


class Time:
    """A clock that moves when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(round(seconds, 3))
        self.now += seconds


async def test_requests_to_a_host_are_an_interval_apart_and_other_hosts_do_not_wait() -> None:
    time = Time()
    pace = HostPace(2.0, clock=time, sleep=time.sleep)
    await pace.wait("a.example")
    await pace.wait("b.example")
    assert time.slept == []
    await pace.wait("a.example")
    await pace.wait("a.example")
    assert time.slept == [2.0, 2.0]
    time.now += 60
    await pace.wait("a.example")
    assert time.slept == [2.0, 2.0]


async def test_those_that_wait_at_the_same_time_are_spread() -> None:
    time = Time()
    slept: list[float] = []

    async def stand_still(seconds: float) -> None:
        slept.append(seconds)

    pace = HostPace(1.0, clock=time, sleep=stand_still)
    for _ in range(4):
        await pace.wait("a.example")
    assert slept == [1.0, 2.0, 3.0]


async def test_a_host_may_ask_for_more_distance() -> None:
    time = Time()
    pace = HostPace(1.0, clock=time, sleep=time.sleep)
    pace.slow_down("a.example", 5.0)
    await pace.wait("a.example")
    await pace.wait("a.example")
    assert time.slept == [5.0]
