"""An hour of mixed load, sampled every ten seconds: `make soak` writes docs/results/soak."""

import argparse
import asyncio
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from memory.results import FOLDER, Goal, Result, Table, rows, write
from tests.faults.forking import Forks
from tests.faults.service import Service
from tests.soak.descriptors import descriptors
from tests.soak.load import Load
from tests.soak.samples import LIMITS, WARM_UP, Growth, Sample, figures_of, growths

SAMPLE_SECONDS = 10.0


class Soaked(NamedTuple):
    """What was measured, the load that was put on the service, and what each process had open."""

    samples: list[Sample]
    load: Load
    opened: list[dict[str, Counter[str]]]
    """By process: after the warm-up, at half of the rest, and at the end."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the soak; returns the exit code."""
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0, help="length, with the warm-up")
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder of the page")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with (
        tempfile.TemporaryDirectory(prefix="nightschool-soak-", ignore_cleanup_errors=True) as folder,
        Forks() as forks,
        Service(forks, Path(folder), postgresql=False, mounted=False) as service,
    ):
        soaked = asyncio.run(soak(service, options.minutes * 60))
    grown = growths(soaked.samples)
    write(result(grown, soaked, options.minutes), options.out)
    wrong = [each.figure for each in grown if not each.flat]
    refused = soaked.load.refused.total()
    print(f"grows: {', '.join(wrong) or 'nothing'}; refused: {refused}; see {options.out}/soak.md")
    return 1 if wrong or refused else 0


async def soak(service: Service, seconds: float) -> Soaked:
    """Works and measures for so many seconds."""
    load, stop = Load(service.url), asyncio.Event()
    working = asyncio.create_task(load.run(stop))
    samples: list[Sample] = []
    opened: list[dict[str, Counter[str]]] = []
    looks = [seconds * WARM_UP, seconds * (1 + WARM_UP) / 2, seconds - SAMPLE_SECONDS * 1.5]
    begun = time.monotonic()
    while (now := time.monotonic() - begun) < seconds and not working.done():
        figures = await asyncio.to_thread(figures_of, service.pids, service.folder)
        samples.append(Sample(now, figures))
        if len(opened) < len(looks) and now >= looks[len(opened)]:
            opened.append({name: descriptors(pid, service.ports) for name, pid in service.pids.items()})
        memory = ", ".join(f"{name} {figures[f'{name} memory']:.0f} MB" for name in service.pids)
        print(f"{now / 60:5.1f} min  {memory}; {dict(load.done)}; refused {load.refused.total()}", flush=True)
        await asyncio.sleep(SAMPLE_SECONDS)
    stop.set()
    await working
    return Soaked(samples, load, opened)


def result(grown: Sequence[Growth], soaked: Soaked, minutes: float) -> Result:
    """The page."""
    samples, load = soaked.samples, soaked.load
    requests = load.done.total()
    seconds = samples[-1].seconds
    return Result(
        name="soak",
        title="Soak",
        command=f"make soak MINUTES={minutes:g}",
        seconds=seconds,
        figures={
            "work done": float(requests),
            "work refused": float(load.refused.total()),
            "figures that grow": float(sum(not each.flat for each in grown)),
        },
        goals={"figures that grow": Goal(at="<=", bound=0), "work refused": Goal(at="<=", bound=0)},
        tables=(
            Table(
                title="Growth in an hour",
                text="After a quarter of the time, as warm-up: Theil-Sen slopes of samples every ten seconds,"
                " with its interval at 95%. A figure is flat unless it surely grows by more than its limit."
                " Sizes are in MB.",
                head=("figure", "first", "last", "slope an hour", "interval", "limit", "flat"),
                rows=rows([line(each) for each in grown]),
            ),
            Table(
                title="Open files and sockets",
                text="What each process had open after the warm-up, at half of the rest and at the end, if it"
                " changed.",
                head=("process", "what", "first", "half", "last"),
                rows=rows(changes(soaked.opened)),
            ),
            Table(
                title="Limits",
                text="What still counts as flat, in an hour.",
                head=("figure", "limit", "why"),
                rows=rows(
                    [(name, f"{limit.an_hour:g} {limit.unit}", limit.why) for name, limit in LIMITS.items()]
                ),
            ),
            Table(
                title="Load",
                text="Chats with feedback, streams, threads with a run, documents, and learn runs with"
                " their training by a stand-in; the engine answers from a script.",
                head=("work", "done", "a minute", "refused"),
                rows=rows(
                    [
                        (kind, count, count / (seconds / 60), load.refused[kind])
                        for kind, count in sorted(load.done.items())
                    ]
                ),
            ),
            Table(
                title="Refused",
                text="The first of the refusals.",
                head=("what",),
                rows=rows([(reason.replace("|", "/"),) for reason in load.reasons[:20]]),
            ),
        ),
    )


def changes(opened: Sequence[dict[str, Counter[str]]]) -> list[tuple[object, ...]]:
    """The rows of what does not stay the same."""
    kinds = sorted({(name, what) for look in opened for name, counts in look.items() for what in counts})
    counted = [(name, what, *(look[name][what] for look in opened)) for name, what in kinds]
    return [each for each in counted if len(set(each[2:])) > 1]


def line(each: Growth) -> tuple[object, ...]:
    """A figure's row."""
    interval = f"{each.low:.1f} to {each.high:.1f}"
    limit = "" if each.limit is None else f"{each.limit.an_hour:g}"
    return (each.figure, each.first, each.last, each.slope, interval, limit, "yes" if each.flat else "**no**")


if __name__ == "__main__":
    raise SystemExit(main())
