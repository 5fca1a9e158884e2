"""`nightschool doctor`: checks the machine, the stores, the engine and the model, and says what to do."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from api.cli.shell import FAILED, AsJson, console, print_json, settings

if TYPE_CHECKING:
    from agent.settings import Settings
    from api.cli.checks import Check, Finding

COLOURS = {"ok": "green", "warning": "yellow", "failed": "red"}


def doctor(as_json: AsJson = False) -> None:
    """Check machine, disk, ports, stores, engine and model; exit code 1 if something failed."""
    findings = _run(all_checks(), settings())
    failed = _print_as_json(findings) if as_json else _print(findings)
    if failed:
        raise typer.Exit(FAILED)


def all_checks() -> "tuple[Check, ...]":
    """All checks, the machine first."""
    from api.cli import checks, store_checks

    return (
        checks.processor, checks.memory, checks.gpu, checks.packages, checks.trainer, checks.home,
        checks.disk, checks.ports, store_checks.database, store_checks.library, store_checks.adapters,
        store_checks.graph, checks.embedding, checks.model, checks.engine, checks.teacher, checks.service,
    )  # fmt: skip


def _run(checks: "Iterable[Check]", configuration: "Settings") -> "Iterator[Finding]":
    for check in checks:
        yield from check(configuration)


def _print_as_json(findings: "Iterable[Finding]") -> int:
    failed = 0
    for finding in findings:
        print_json([asdict(finding)])
        failed += finding.status == "failed"
    return failed


def _print(findings: "Iterable[Finding]") -> int:
    """Prints one line a check; returns how many failed."""
    from rich.text import Text

    screen = console()
    counts = dict.fromkeys(COLOURS, 0)
    for finding in findings:
        counts[finding.status] += 1
        line = Text()
        line.append(f"{finding.status:<8}", style=COLOURS[finding.status])
        line.append(f"{finding.check:<24}{finding.detail}")
        if finding.action:
            line.append(f" -> {finding.action}", style="bold")
        screen.print(line)
    screen.print(f"{counts['ok']} ok, {counts['warning']} warnings, {counts['failed']} failed")
    return counts["failed"]
