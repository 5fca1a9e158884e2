"""`nightschool memory`: search the library, list contradicting and old facts, and forget what is stored."""

import sys
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from api.cli.display import age
from api.cli.shell import BAD_INPUT, AsJson, console, print_json, say, segment, service, stop
from memory.language.counting import counted

app = typer.Typer()
QUOTE = 200
"""Characters of a passage that are shown."""


@app.callback()
def memory() -> None:
    """Search the library; list facts that contradict each other or are old; forget what is stored."""


@app.command()
def forget(
    user: Annotated[
        str | None, typer.Option(help="A user as the client named it, or the owner of a key.")
    ] = None,
    source: Annotated[str | None, typer.Option(help="A document, as `GET /v1/documents` lists it.")] = None,
    id: Annotated[str | None, typer.Option(help="A turn, thread, gap or statement.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Forget everything of one user, document or record, and say which adapters were taught from it."""
    targets = {name: value for name, value in (("user", user), ("source", source), ("id", id)) if value}
    if len(targets) != 1:
        stop("name one of --user, --source and --id", BAD_INPUT)
    ((name, value),) = targets.items()
    if not yes:
        if not sys.stdin.isatty():
            stop("this cannot be undone: confirm it with --yes", BAD_INPUT)
        typer.confirm(f"Forget {name} {value!r} for good?", abort=True, err=True)
    with service() as client:
        erased = client.delete("/v1/memory", **targets)
    if as_json:
        print_json([erased])
        return
    counts = ", ".join(f"{what}: {count}" for what, count in erased["counts"].items())
    unknown = f": no document is named {value!r}" if name == "source" else ""
    nothing = f"Nothing was left to forget{unknown}; the files were purged."
    lines = [f"Forgotten: {counts}." if counts else nothing]
    lines += [f"{each['adapter']} was taught from it: {each['command']}" for each in erased["taught"]]
    console().print("\n".join(lines), markup=False)


@app.command()
def search(
    query: Annotated[str, typer.Argument(help="A question, or words.")],
    limit: Annotated[int, typer.Option(min=1, max=100, help="Most passages.")] = 8,
    domain: Annotated[str | None, typer.Option(help="Only documents of this domain.")] = None,
    as_of: Annotated[
        str | None, typer.Option(help="Search what the library held then, such as 2026-11-29T12:00:00Z.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show the passages that answer a question, and why each was found, without an answer."""
    from api.cli.screen import table

    request = {"query": query, "limit": limit, "domain": domain, "as_of": as_of}
    with service() as client:
        found = client.post("/v1/search", request)
    hits, facts = found["hits"], found["facts"]
    if as_json:
        print_json(hits)
        return
    if not hits and not facts:
        console().print("Nothing was found.")
        return
    rows = [
        (f"{hit['score']:.2f}", hit["source"], " ".join(hit["text"].split())[:QUOTE], _reason(hit))
        for hit in hits
    ]
    console().print(table(("score", "source", "passage", "why"), rows, prose=["passage", "why"]))
    for fact in facts:
        console().print(f"{fact['sentence']} [{fact['source']}]", markup=False, soft_wrap=True)


def _reason(hit: dict[str, Any]) -> str:
    signals = ", ".join(f"{name} {score:.2f}" for name, score in hit["scores"].items())
    return f"{signals}; {hit['path']}" if hit["path"] else signals


@app.command()
def conflicts(
    domain: Annotated[str | None, typer.Option(help="Only facts of this domain.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Conflicts at most.")] = 100,
    as_json: AsJson = False,
) -> None:
    """List facts that contradict each other; both are kept, and one is current."""
    with service() as client:
        listed = client.get("/v1/memory/conflicts", domain=domain, limit=limit)
    if as_json:
        print_json(listed["conflicts"])
        return
    lines = [line for each in listed["conflicts"] for line in _described(each)]
    lines += [
        f"{counted(listed['total'], 'conflict')}, {counted(listed['views'], 'view')} among them;"
        " `nightschool memory withdraw` takes out what is wrong.",
        *_incomplete(listed),
    ]
    console().print("\n".join(lines), markup=False, soft_wrap=True)


@app.command()
def withdraw(
    source: Annotated[str, typer.Argument(help="The document, as conflicts and citations name it.")],
    sentence: Annotated[str, typer.Argument(help="The sentence that is wrong, verbatim.")],
    domain: Annotated[str, typer.Option(help="Domain of the document.")] = "general",
    reason: Annotated[str, typer.Option(help="Why.")] = "",
    as_json: AsJson = False,
) -> None:
    """Take a wrong sentence out of a document; it stays out when the document is ingested again."""
    body = {"source": source, "sentence": sentence, "domain": domain, "reason": reason}
    with service() as client:
        done = client.post("/v1/memory/withdrawn", body)
    lines = [
        f"Withdrawn from {counted(done['passages'], 'passage')}, with {counted(done['facts'], 'fact')};"
        f" `nightschool memory reinstate {done['withdrawn']['id']}` undoes it."
    ]
    lines += [f"{each['adapter']} was taught it: {each['command']}" for each in done["taught"]]
    say("\n".join(lines), done, as_json=as_json)


@app.command()
def withdrawn(
    domain: Annotated[str | None, typer.Option(help="Only documents of this domain.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the sentences that were withdrawn, by whom and why."""
    from api.cli.screen import table

    with service() as client:
        listed = client.entries("/v1/memory/withdrawn", "id", domain=domain)
    if as_json:
        print_json(listed)
        return
    rows = [
        (each["id"], each["source"], each["sentence"], each["by"], each["at"][:10], each["reason"])
        for each in listed
    ]
    columns = ("id", "document", "sentence", "by", "on", "why")
    console().print(table(columns, rows, prose=["sentence", "why"]))


@app.command()
def reinstate(
    id: Annotated[str, typer.Argument(help="Id of a withdrawn sentence.")], as_json: AsJson = False
) -> None:
    """Let a withdrawn sentence stand again, from the next ingest of its document on."""
    with service() as client:
        done = client.delete(f"/v1/memory/withdrawn/{segment(id)}")
    say(f"Ingest {done['source']} again to have the sentence back.", done, as_json=as_json)


@app.command()
def names(
    domain: Annotated[str | None, typer.Option(help="Only facts of this domain.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Of each kind at most.")] = 100,
    as_json: AsJson = False,
) -> None:
    """List names that count as one thing, and those that are spelled alike and may be one."""
    with service() as client:
        listed = client.get("/v1/memory/names", domain=domain, limit=limit)
    lines = [
        f"{' = '.join(each['names'])}  [{', '.join(sorted({fact['source'] for fact in each['because']}))}]"
        for each in listed["same"]
    ]
    lines += [f"{' != '.join(each['names'])}  [{each['because']['source']}]" for each in listed["apart"]]
    lines += [
        f"{each['first']} ? {each['second']}  (spelled alike: {each['similarity']:.2f})"
        for each in listed["alike"]
    ]
    lines += [
        "To decide, ingest a triple: `A,is the same as,B` or `A,is not the same as,B`, such as"
        " `Windows,is not the same as,window`.",
        *_incomplete(listed),
    ]
    say("\n".join(lines), listed, as_json=as_json)


@app.command()
def stale(
    domain: Annotated[str | None, typer.Option(help="Only facts of this domain.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Facts at most.")] = 100,
    as_json: AsJson = False,
) -> None:
    """List facts that are so old that they should be looked up again."""
    with service() as client:
        listed = client.get("/v1/memory/stale", domain=domain, limit=limit)
    if as_json:
        print_json(listed["facts"])
        return
    lines = [
        f"{fact['sentence']} [{fact['source']}, {age(fact, datetime.now(UTC))}]" for fact in listed["facts"]
    ]
    lines += [
        f"{counted(listed['total'], 'fact')} to look up again; ingest newer documents in place of these.",
        *_incomplete(listed),
    ]
    console().print("\n".join(lines), markup=False, soft_wrap=True)


def _incomplete(listed: dict[str, Any]) -> list[str]:
    return [] if listed["complete"] else ["Not all facts were compared, there are too many: give a --domain."]


def _described(conflict: dict[str, Any]) -> list[str]:
    """Both facts, the current one first."""
    current, other = conflict["current"], conflict["other"]
    return [
        f"{current['subject']} ({conflict['kind']}; current: {conflict['reason']})",
        f"  current  {current['sentence']} [{current['source']}]",
        f"  other    {other['sentence']} [{other['source']}]",
    ]
