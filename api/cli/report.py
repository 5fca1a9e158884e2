"""`nightschool report`: accuracy, forgetting, hallucination and calibration of each domain's versions."""

from itertools import groupby
from typing import Annotated

import typer

from api.cli.shell import AsJson, console, print_json, service


def report(
    domain: Annotated[str | None, typer.Option(help="Only this domain.")] = None, as_json: AsJson = False
) -> None:
    """Draw accuracy, forgetting, hallucination and calibration of every domain over its versions."""
    from api.cli.display import versions_table

    with service() as client:
        adapters = client.entries("/v1/adapters", "name", domain=domain)
    if as_json:
        print_json(adapters)
        return
    if not adapters:
        console().print("nothing yet: `nightschool learn TOPIC` makes the first version")
    for name, versions in groupby(adapters, key=lambda adapter: str(adapter["domain"])):
        console().print(versions_table(name, list(versions)))
