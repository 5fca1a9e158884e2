"""`nightschool grants`: give owners of keys a domain, which closes it to all others.

They work on the database itself, so the service need not run.
"""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from api.cli.own_database import with_database
from api.cli.shell import AsJson, console, print_json, say

if TYPE_CHECKING:
    from memory.server.grants import Grants

app = typer.Typer(no_args_is_help=True)
T = TypeVar("T")
Owner = Annotated[str, typer.Argument(help="Owner of keys, as `nightschool keys list` shows it.")]
DomainName = Annotated[str, typer.Argument(metavar="DOMAIN", help="Domain of documents and adapters.")]


@app.command()
def add(
    owner: Owner,
    domain: DomainName,
    write: Annotated[bool, typer.Option("--write", help="Also add documents, teach and run nights.")] = False,
    as_json: AsJson = False,
) -> None:
    """Grant an owner a domain, within 5 seconds. The first grant closes it to everybody else but admins."""

    async def granted(grants: "Grants") -> tuple[bool, list[str]]:
        _, closed = await grants.add(owner, _checked(domain), write=write)
        return closed, [each.owner for each in await grants.list() if each.domain == domain]

    closed, owners = _with_grants(granted)
    state = "was open to every key; now only" if closed else "is open to"
    result = {"domain": domain, "closed": closed, "owners": owners}
    say(f"domain {domain} {state}: {', '.join(owners)} (and admins)", result, as_json=as_json)


@app.command("list")
def listing(as_json: AsJson = False) -> None:
    """List grants; a domain that is not listed is open to every key."""
    from api.cli.screen import table

    grants = _with_grants(lambda store: store.list())
    if as_json:
        print_json(grant.model_dump(mode="json") for grant in grants)
        return
    rows = [(grant.domain, grant.owner, "write" if grant.write else "read") for grant in grants]
    console().print(table(("domain", "owner", "may"), rows))


@app.command()
def remove(
    owner: Owner,
    domain: DomainName,
    reopen: Annotated[
        bool, typer.Option("--reopen", help="Remove the last grant, which opens the domain to every key.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Remove an owner's grant; of a domain's last one it asks for --reopen."""
    opened = _with_grants(lambda grants: grants.remove(owner, _checked(domain), reopen=reopen))
    state = "is open to every key now" if opened else "stays closed"
    result = {"domain": domain, "owner": owner, "opened": opened}
    say(f"{owner} has no grant any more; domain {domain} {state}", result, as_json=as_json)


def _checked(domain: str) -> str:
    """Raises ValueError for a name that no domain can have."""
    from pydantic import TypeAdapter, ValidationError

    from memory.records.base import Domain

    try:
        name: str = TypeAdapter(Domain).validate_python(domain)
    except ValidationError:
        raise ValueError(
            f"{domain!r} is no domain: use 1 to 40 lower-case letters, digits and hyphens"
        ) from None
    return name


def _with_grants(work: "Callable[[Grants], Awaitable[T]]") -> T:
    from memory.server.grants import Grants

    return with_database(lambda database, heads: work(Grants(database, audit_heads=heads)))
