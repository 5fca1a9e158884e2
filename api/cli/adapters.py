"""`nightschool adapters`: list, show, promote and roll back adapters, and forget a lesson."""

from typing import Annotated, Any

import typer

from api.cli.shell import AsJson, console, print_json, say, segment, service

app = typer.Typer(no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="Full name of an adapter, such as rust-v3-1f9c2a7e.")]


@app.command("list")
def listing(
    domain: Annotated[str | None, typer.Option(help="Only this domain.")] = None, as_json: AsJson = False
) -> None:
    """List all adapters: candidates, live ones, retired ones that were live once, and rejected ones."""
    from api.cli.screen import table

    with service() as client:
        adapters = client.entries("/v1/adapters", "name", domain=domain)
    if as_json:
        print_json(adapters)
        return
    rows = [
        (
            a["name"],
            a["domain"],
            a["status"],
            _accuracy(a["before"]),
            _accuracy(a["after"]),
            a["created_at"][:19],
        )
        for a in adapters
    ]
    console().print(table(("adapter", "domain", "status", "before", "after", "created"), rows))


@app.command()
def show(name: Name, as_json: AsJson = False) -> None:
    """Show an adapter's evaluation and gates."""
    from api.cli.display import show_adapter

    with service() as client:
        adapter = client.get(f"/v1/adapters/{segment(name)}")
    if as_json:
        print_json([adapter])
    else:
        show_adapter(console(), adapter)


@app.command()
def promote(name: Name, as_json: AsJson = False) -> None:
    """Make an adapter live in its domain, if it answers its canary question."""
    with service() as client:
        serving = client.post(f"/v1/adapters/{segment(name)}/promote")
    say(f"{serving['domain']} is now served by {name}", serving, as_json=as_json)


@app.command()
def rollback(
    domain: Annotated[str, typer.Argument(help="Domain to roll back.")], as_json: AsJson = False
) -> None:
    """Go back to a domain's previous adapter, or to the base model."""
    with service() as client:
        serving = client.post("/v1/adapters/rollback", {"domain": domain})
    name = serving["adapter"]["name"] if serving["adapter"] else "the base model"
    say(f"{domain} is now served by {name}", serving, as_json=as_json)


@app.command()
def forget(
    domain: Annotated[str, typer.Argument(help="Domain that learned the lesson.")],
    curriculum: Annotated[
        str,
        typer.Argument(
            help="Curriculum of the lesson: a digest from `adapters show`, or its first 8 digits."
        ),
    ],
    reason: Annotated[str, typer.Option(help="Why.")] = "",
    as_json: AsJson = False,
) -> None:
    """Quarantine one lesson of a domain, and teach the domain its other lessons again."""
    from api.cli.learn import watch

    with service() as client:
        body = {"domain": domain, "curriculum": curriculum, "reason": reason}
        started = client.post("/v1/adapters/forget", body)
        watch(client, started["run_id"], "forgotten", as_json=as_json)


def _accuracy(evaluation: dict[str, Any]) -> str:
    return f"{evaluation['in_distribution']['accuracy']:.0%}"
