"""`nightschool perspectives`: from which viewpoint documents speak, and what each counts for."""

from typing import Annotated

import typer

from api.cli.shell import AsJson, console, print_json, service
from memory.language.counting import counted

app = typer.Typer(no_args_is_help=True)
Name = Annotated[str, typer.Argument(metavar="NAME", help="Of the perspective, such as `botany`.")]
Sources = Annotated[
    list[str], typer.Argument(metavar="DOCUMENT...", help="As `nightschool ingest` names them.")
]
InDomain = Annotated[str, typer.Option("--domain", help="Domain of the documents.")]


@app.command("list")
def listing(
    domain: Annotated[str | None, typer.Option(help="Only documents of this domain.")] = None,
    as_json: AsJson = False,
) -> None:
    """List perspectives, their weights, and how many documents speak from each."""
    with service() as client:
        _show(client.get("/v1/perspectives", domain=domain), as_json=as_json)


@app.command()
def declare(
    name: Name,
    sources: Sources,
    domain: InDomain = "general",
    as_json: AsJson = False,
) -> None:
    """Let stored documents speak from a perspective, as `nightschool ingest --perspective` does."""
    body = {"name": name, "sources": sources, "domain": domain}
    with service() as client:
        _show(client.post("/v1/perspectives", body), as_json=as_json)


@app.command()
def clear(sources: Sources, domain: InDomain = "general", as_json: AsJson = False) -> None:
    """Let stored documents speak from no perspective."""
    body = {"name": None, "sources": sources, "domain": domain}
    with service() as client:
        _show(client.post("/v1/perspectives", body), as_json=as_json)


@app.command()
def weigh(
    name: Name,
    weight: Annotated[
        float, typer.Argument(metavar="WEIGHT", help="Relative to 1; with 0 it is not taught.")
    ],
    domain: InDomain = "general",
    as_json: AsJson = False,
) -> None:
    """Set what a perspective counts for in lessons, however many documents speak from it; for admins."""
    with service() as client:
        body = {"name": name, "weight": weight, "domain": domain}
        _show(client.put("/v1/perspectives", body), as_json=as_json)


@app.command()
def suggest(
    domain: Annotated[str | None, typer.Option(help="Only documents of this domain.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show documents that contradict each other, in two camps: they may speak from two perspectives."""
    with service() as client:
        found = client.get("/v1/perspectives/suggested", domain=domain)
    if as_json:
        print_json(found)
        return
    if not found:
        console().print("No documents hold different things of the same.")
    for each in found:
        lines = [
            f"In {each['domain']}, {counted(each['conflicts'], 'contradiction')} between",
            f"  {', '.join(each['first'])}",
            f"  {', '.join(each['second'])}",
            *(
                f"    {why['current']['sentence']} [{why['current']['source']}] /"
                f" {why['other']['sentence']} [{why['other']['source']}]"
                for why in each["because"]
            ),
        ]
        console().print("\n".join(lines), markup=False, soft_wrap=True)
    if found:
        console().print("`nightschool perspectives declare NAME DOCUMENT...` names them.", markup=False)


def _show(perspectives: object, *, as_json: bool) -> None:
    from api.cli.screen import table

    assert isinstance(perspectives, list)
    if as_json:
        print_json(perspectives)
        return
    rows = [(e["domain"], e["name"], f"{e['weight']:g}", str(e["documents"])) for e in perspectives]
    console().print(table(("domain", "perspective", "weight", "documents"), rows))
