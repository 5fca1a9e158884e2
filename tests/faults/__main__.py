"""Breaks every process at every step and checks what must hold; `make faults` writes docs/results."""

import argparse
import asyncio
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from memory.results import FOLDER, Goal, Result, Table, rows, write
from tests.faults.case import Case, Outcome, all_cases, arranged, prepare, run
from tests.faults.fault import KINDS
from tests.faults.forking import Forks
from tests.faults.invariants import SENTENCES, Violation
from tests.faults.machine import missing
from tests.faults.service import NotStarted, Service
from tests.faults.work import Refused, client_of

PER_SERVICE = 20
"""Cases on one home folder; what they acknowledged is read again after each."""
NUMBERS = 1000
"""Documents that each service may invent."""
MEMORY = Path("/dev/shm")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the cases until there are no more or the time is over; returns the exit code."""
    parser = argparse.ArgumentParser(prog="make faults", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0, help="stop after so many minutes")
    parser.add_argument("--runs", type=int, help="stop after so many cases (default: all)")
    parser.add_argument("--seed", type=int, default=0, help="order of the cases")
    parser.add_argument("--only", default="", help="only cases whose name holds this, as `kill of api`")
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder of the page")
    parser.add_argument("--list", action="store_true", help="list the cases")
    options = parser.parse_args(arguments)
    cases = tuple(each for each in arranged(all_cases(), options.seed) if options.only in str(each))
    if options.list:
        print("\n".join(map(str, cases)))
        return 0
    # Leaves no mount and no process behind, also when it is ended from outside.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    started = time.monotonic()
    outcomes = list(outcomes_of(cases[: options.runs], started + options.minutes * 60))
    write(result(outcomes, time.monotonic() - started, command(options)), options.out)
    wrong = [each for each in outcomes if each.violations]
    print(f"{len(outcomes)} cases, {len(wrong)} with violations: see {options.out}/faults.md")
    return 1 if wrong or not outcomes else 0


def command(options: argparse.Namespace) -> str:
    """The command with which the page was made."""
    values = {
        "RUNS": options.runs,
        "SEED": options.seed or None,
        "ONLY": repr(options.only) if options.only else None,
    }
    return " ".join(
        ["make faults", *(f"{name}={value}" for name, value in values.items() if value is not None)]
    )


def outcomes_of(cases: Sequence[Case], deadline: float) -> Iterator[Outcome]:
    """Runs the cases, on a new service for each few; every other service is on PostgreSQL."""
    waiting = list(cases)
    count = 0
    with Forks() as forks:
        for number in range(10_000):
            postgresql = number % 2 == 1 or all(each.process == "postgresql" for each in waiting)
            batch = [each for each in waiting if postgresql or each.process != "postgresql"][:PER_SERVICE]
            if not batch or time.monotonic() > deadline:
                return
            for each, outcome in zip(
                batch, batch_outcomes(forks, batch, number, postgresql, deadline), strict=False
            ):
                waiting.remove(each)
                count += 1
                report(count, outcome)
                yield outcome


def batch_outcomes(
    forks: Forks, batch: Sequence[Case], number: int, postgresql: bool, deadline: float
) -> Iterator[Outcome]:
    """Runs cases on one service, until the time is over or one leaves the service broken."""
    folder = Path(tempfile.mkdtemp(prefix="nightschool-faults-", dir=MEMORY if MEMORY.is_dir() else None))
    first = number * NUMBERS
    try:
        with Service(forks, folder, postgresql=postgresql) as service, asyncio.Runner() as loop:
            connecting = client_of(service.url)
            client = loop.run(connecting.__aenter__())
            try:
                prepared = loop.run(prepare(client, first))
            except (NotStarted, Refused):
                keep_logs(service, "preparation")
                raise
            for index, case in enumerate(batch):
                outcome = loop.run(run(service, client, case, first + 10 + index, prepared))
                if outcome.violations:
                    keep_logs(service, str(case))
                yield outcome
                if time.monotonic() > deadline or any(
                    each.invariant == "ends" for each in outcome.violations
                ):
                    break
            loop.run(connecting.__aexit__(None, None, None))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def keep_logs(service: Service, name: str) -> None:
    """Copies the processes' logs, for whoever looks at a violation."""
    kept = Path(".nightschool/faults") / "-".join(name.replace("/", " ").split())
    kept.mkdir(parents=True, exist_ok=True)
    for process in service.processes:
        text = service.log(process).read_text(errors="replace")
        (kept / f"{process}.log").write_text(text[-200_000:])


def report(count: int, outcome: Outcome) -> None:
    """A line for the case, and one for each violation."""
    reached = "" if outcome.reached else ", step not reached"
    print(
        f"{count:4} {outcome.seconds:5.1f} s  {outcome.case}: {outcome.ended or 'broken'}{reached}",
        flush=True,
    )
    for each in outcome.violations:
        print(f"       VIOLATION {each.invariant}: {each.text}", flush=True)


def result(outcomes: Sequence[Outcome], seconds: float, command: str) -> Result:
    """The page."""
    violations = [(each.case, violation) for each in outcomes for violation in each.violations]
    figures = {
        "runs": float(len(outcomes)),
        "runs with a violation": float(sum(bool(each.violations) for each in outcomes)),
        "steps not reached": float(sum(not each.reached for each in outcomes)),
        "mean seconds": sum(each.seconds for each in outcomes) / max(1, len(outcomes)),
        "longest recovery in seconds": max((each.recovery for each in outcomes), default=0.0),
    }
    return Result(
        name="faults",
        title="Faults",
        command=command,
        seconds=seconds,
        figures=figures,
        goals={"runs": Goal(at=">=", bound=200), "runs with a violation": Goal(at="<=", bound=0)},
        tables=(
            by_kind(outcomes),
            by_step(outcomes),
            by_invariant([violation for _, violation in violations]),
            Table(
                title="Violations",
                text="Each with the case in which it was found.",
                head=("case", "invariant", "what was found"),
                rows=rows(
                    [(case, each.invariant, each.text.replace("|", "/")[:300]) for case, each in violations]
                ),
            ),
            how(),
        ),
    )


def by_kind(outcomes: Sequence[Outcome]) -> Table:
    """Cases and violations, by fault and process."""
    groups: dict[tuple[str, str], list[Outcome]] = {}
    for each in outcomes:
        groups.setdefault((each.case.kind, each.case.process), []).append(each)
    return Table(
        title="By fault and process",
        text="How often each fault was made, how often an invariant did not hold, and the longest recovery.",
        head=("fault", "process", "runs", "with a violation", "longest recovery (s)"),
        rows=rows(
            [
                (
                    *key,
                    len(group),
                    sum(bool(each.violations) for each in group),
                    max(each.recovery for each in group),
                )
                for key, group in sorted(groups.items())
            ]
        ),
    )


def by_step(outcomes: Sequence[Outcome]) -> Table:
    """Cases and violations, by work and step."""
    groups: dict[tuple[str, str], list[Outcome]] = {}
    for each in outcomes:
        groups.setdefault((each.case.work, each.case.step), []).append(each)
    return Table(
        title="By work and step",
        text="The step that began when the fault was made. A step is not reached if the work took"
        " another way; the fault was then made at its end.",
        head=("work", "step", "runs", "reached", "with a violation"),
        rows=rows(
            [
                (
                    *key,
                    len(group),
                    sum(each.reached for each in group),
                    sum(bool(each.violations) for each in group),
                )
                for key, group in sorted(groups.items())
            ]
        ),
    )


def by_invariant(violations: Sequence[Violation]) -> Table:
    """What must hold, and how often it did not."""
    counts = Counter(each.invariant for each in violations)
    return Table(
        title="What must hold",
        text="Checked after every run; aliases also all the while, ten times a second.",
        head=("invariant", "meaning", "violations"),
        rows=rows([(name, sentence, counts[name]) for name, sentence in SENTENCES.items()]),
    )


def how() -> Table:
    """How each kind of fault is made, and which could not be made here."""
    ways = {
        "kill": "SIGKILL to the process and its children; started again at once, as the supervisor does",
        "full disk": "the file system of its folder (tmpfs) is filled to the last byte, for 1.5 s or more",
        "slow disk": "strace delays each fsync, fdatasync, msync by 200 ms, for 2 s; reads are as fast",
        "clock jump": "its Python clock jumps an hour on or back, 400 days on, or a second back",
        "partition": "the cable of its network namespace is cut: packets are lost, nothing is closed",
    }
    return Table(
        title="How the faults are made",
        text="The engine is a stand-in that answers like vLLM from a script, and the trainer writes a LoRA"
        " with its lesson's answers; all else is the product's. Half of the services are on PostgreSQL.",
        head=("fault", "how", "made here"),
        rows=rows(
            [(kind, ways[kind], "yes" if (why := missing(kind)) is None else f"no: {why}") for kind in KINDS]
        ),
    )


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except (NotStarted, Refused) as error:
        raise SystemExit(f"the service under test cannot be set up: {error}") from error
