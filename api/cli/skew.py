"""`nightschool skew`: how sources, topics, languages and people are represented in what was learned."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer

from api.cli.shell import AsJson, console, print_json, service

SHOWN = 3
"""Categories that a line names."""


def skew(
    domain: Annotated[str | None, typer.Option(help="By default the base model's.")] = None,
    since: Annotated[
        str | None, typer.Option(help="Compare with what was asked from then on; by default 30 days.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show who and what is over- or under-represented in what a domain learned."""
    from api.cli.screen import table

    with service() as client:
        found = client.get("/v1/skew", domain=domain, since=since)
    if as_json:
        print_json([found])
        return
    screen, columns = console(), ("aspect", "learned", "effective", "asked", "effective", "bits", "largest")
    screen.print(f"What {found['domain']} learned, and was asked since {found['since'][:10]}", markup=False)
    screen.print(table(columns, map(line, found["aspects"]), prose=["largest"]))
    for alarm in alarms(found):
        screen.print(f"- {alarm}", markup=False, soft_wrap=True)
    if not any(alarms(found)):
        screen.print("Nothing is out of bounds.", markup=False)


def line(aspect: Mapping[str, Any]) -> tuple[str, ...]:
    """The cells of an aspect: its counts, effective numbers, divergence, and largest categories."""
    largest = [
        f"{each['name']} {each['learned']:.0%} of {each['asked']:.0%}"
        for each in aspect["categories"][:SHOWN]
    ]
    return (
        aspect["aspect"],
        str(aspect["learned"]),
        f"{aspect['effective']:.1f}",
        str(aspect["asked"]),
        f"{aspect['effective_asked']:.1f}",
        "" if aspect["divergence"] is None else f"{aspect['divergence']:.2f}",
        ", ".join(largest),
    )


def alarms(report: Mapping[str, Any]) -> Iterator[str]:
    """The alarms of all aspects."""
    return (alarm for aspect in report["aspects"] for alarm in aspect["alarms"])
