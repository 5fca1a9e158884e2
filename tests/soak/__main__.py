"""An hour of mixed load, sampled every ten seconds: `make soak` writes docs/results/soak."""

import argparse
import asyncio
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from memory.results import FOLDER, Goal, Result, Table, rows, write
from tests.faults.forking import Forks
from tests.faults.service import Service
from tests.soak.load import Load
from tests.soak.samples import LIMITS, Growth, Sample, figures_of, growths

SAMPLE_SECONDS = 10.0


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
        samples, load = asyncio.run(soak(service, options.minutes * 60))
    grown = growths(samples)
    write(result(grown, samples, load, options.minutes), options.out)
    wrong = [each.figure for each in grown if not each.flat]
    print(
        f"grows: {', '.join(wrong) or 'nothing'}; refused: {load.refused.total()}; see {options.out}/soak.md"
    )
    return 1 if wrong or load.refused else 0


async def soak(service: Service, seconds: float) -> tuple[list[Sample], Load]:
    """The samples of so many seconds, and the load that was put on the service."""
    load, stop = Load(service.url), asyncio.Event()
    working = asyncio.create_task(load.run(stop))
    samples: list[Sample] = []
    begun = time.monotonic()
    while (now := time.monotonic() - begun) < seconds and not working.done():
        figures = await asyncio.to_thread(figures_of, service.pids, service.folder)
        samples.append(Sample(now, figures))
        memory = ", ".join(f"{name} {figures[f'{name} memory']:.0f} MB" for name in service.pids)
        print(f"{now / 60:5.1f} min  {memory}; {dict(load.done)}; refused {load.refused.total()}", flush=True)
        await asyncio.sleep(SAMPLE_SECONDS)
    stop.set()
    await working
    return samples, load


def result(grown: Sequence[Growth], samples: Sequence[Sample], load: Load, minutes: float) -> Result:
    """The page."""
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


def line(each: Growth) -> tuple[object, ...]:
    """A figure's row."""
    interval = f"{each.low:.1f} to {each.high:.1f}"
    limit = "" if each.limit is None else f"{each.limit.an_hour:g}"
    return (each.figure, each.first, each.last, each.slope, interval, limit, "yes" if each.flat else "**no**")


if __name__ == "__main__":
    raise SystemExit(main())
