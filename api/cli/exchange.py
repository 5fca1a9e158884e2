"""`nightschool memory stats|show|export|import`: what the library holds, and the library as a file."""

from pathlib import Path
from typing import Annotated, Any

import typer

from api.cli.output_file import copy_lines, output_file
from api.cli.shell import (
    BAD_INPUT,
    FAILED,
    AsJson,
    console,
    disk_trouble,
    print_json,
    say,
    service,
    stop,
)

Domain = Annotated[str | None, typer.Option(help="Only documents of this domain.")]
JSON = "application/json"


def stats(as_json: AsJson = False) -> None:
    """Say how many documents, passages, facts and archived answers are stored."""
    from api.cli.screen import table

    with service() as client:
        size = client.get("/v1/memory/stats")
    if as_json:
        print_json([size])
        return
    domains = size.pop("domains")
    counts = size | {f"documents in {domain}": count for domain, count in domains.items()}
    rows = [(name, str(count)) for name, count in counts.items()]
    console().print(table(("stored", "number"), rows))


def show(
    source: Annotated[str, typer.Argument(help="A document, as `GET /v1/documents` lists it.")],
    domain: Domain = None,
    as_json: AsJson = False,
) -> None:
    """Show a document's passages and the facts that were found in them."""
    from api.cli.screen import table

    with service() as client:
        documents = client.get("/v1/documents/contents", source=source, domain=domain)
    if not documents:
        stop(
            f"no document is named {source!r}: `nightschool memory stats` says how many there are", BAD_INPUT
        )
    if as_json:
        print_json(documents)
        return
    for each in documents:
        owner = f", of {each['owner']}" if each.get("owner") else ""
        console().print(f"{each['source']} in {each['domain']}{owner}", markup=False)
        rows = [(part["section"], part["text"], _facts(each, part["id"])) for part in each["passages"]]
        console().print(table(("section", "passage", "facts"), rows, prose=["passage", "facts"]))


def export(
    file: Annotated[Path | None, typer.Argument(help="Where to write it; without it, the terminal.")] = None,
    domain: Domain = None,
) -> None:
    """Export all documents with passages, facts and owners, one JSON object a line."""
    with service() as client, output_file(file) as output:
        count = copy_lines(client.lines("/v1/memory/export", domain=domain), output)
    if file is not None:
        console().print(f"Wrote {count} documents to {file}.", markup=False)


def import_(
    file: Annotated[Path, typer.Argument(help="A file that `nightschool memory export` wrote.")],
    as_json: AsJson = False,
) -> None:
    """Store the documents of an export. A file with a bad line is refused as a whole; repeating is safe."""
    from memory.ingest.exchange import checked_lines

    try:
        with file.open(encoding="utf-8", newline="\n") as lines:
            for _ in checked_lines(lines):
                pass
        new = unchanged = 0
        with file.open(encoding="utf-8", newline="\n") as lines, service() as client:
            for line, _ in checked_lines(lines):
                report = client.upload("/v1/memory/import", line.encode(), JSON)
                new, unchanged = new + report["documents"], unchanged + report["unchanged"]
    except OSError as error:
        stop(disk_trouble(error), FAILED)
    except ValueError as error:
        stop(f"{file}: {error}; nothing was imported", BAD_INPUT)
    result = {"documents": new, "unchanged": unchanged}
    say(f"{new} documents were stored, {unchanged} were already here.", result, as_json=as_json)


def _facts(document: dict[str, Any], passage_id: str) -> str:
    facts = [f for f in document.get("facts", []) if f["passage_id"] == passage_id]
    return "; ".join(
        f"{f['subject']} | {f['relation']} | {f['object']}"
        f" (confidence {f['confidence']:.2f}, support {f['support']})"
        for f in facts
    )
