"""`nightschool ingest`: reads files, folders and URLs on this machine and sends their bytes to the service.

The service extracts passages and facts, so that only one process writes to the stores.
"""

from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.shell import BAD_INPUT, AsJson, console, say, service, settings, stop

if TYPE_CHECKING:
    from pathlib import Path

    from api.cli.client import Client


def ingest(
    targets: Annotated[
        list[str], typer.Argument(help="Files, folders or http(s) URLs.", metavar="PATH|URL...")
    ],
    domain: Annotated[str, typer.Option(help="Domain that the documents belong to.")] = "general",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be stored, and store nothing.")
    ] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Follow the folders: read what changes, remove what is deleted.")
    ] = False,
    prune: Annotated[
        bool,
        typer.Option(
            "--prune",
            help="Remove documents of the domain that are named as these folders' and are no more in them.",
        ),
    ] = False,
    triples: Annotated[
        bool,
        typer.Option("--triples", help="Read CSV and TSV files as facts: subject, relation, object."),
    ] = False,
    perspective: Annotated[
        str | None,
        typer.Option(help="Viewpoint that the documents speak from; see `nightschool perspectives`."),
    ] = None,
    remove: Annotated[
        bool, typer.Option("--remove", help="Remove these documents, named as `ingest` names them.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Read documents into memory; reading them again changes nothing. See the guide for the formats."""
    from memory.errors import IngestError

    if remove and (dry_run or watch or prune or triples or perspective):
        stop("--remove goes with no other option: it removes what is named", BAD_INPUT)
    if dry_run and watch:
        stop("use --dry-run without --watch", BAD_INPUT)
    with service() as client:
        if remove:
            _remove(client, targets, domain, as_json=as_json)
            return
        from api.cli.folder_changes import changes_in
        from api.cli.ingestion import Ingestion, require_distinct_names

        try:
            require_distinct_names(targets)
        except IngestError as error:
            stop(str(error), BAD_INPUT)
        configuration = settings()
        ingestion = Ingestion(
            client,
            domain,
            configuration.max_document_bytes,
            configuration.document_seconds,
            dry_run=dry_run,
            triples=triples,
            perspective=perspective,
            as_json=as_json,
        )
        folders = _folders(targets) if watch else []
        changes = changes_in(folders) if watch else iter(())
        for target in targets:
            try:
                ingestion.read(target, prune=prune or watch)
            except IngestError as error:
                ingestion.fail(str(error))
        ingestion.summarize()
        if watch and not as_json:
            console().print("Watching for changes; end with Ctrl-C.")
        ingestion.follow(folders, changes)
    if ingestion.failed:
        stop(f"documents that could not be read and were not stored: {ingestion.failed}", BAD_INPUT)


def _remove(client: "Client", sources: list[str], domain: str, *, as_json: bool) -> None:
    missing = 0
    for source in sources:
        removed = client.delete("/v1/documents", source=source, domain=domain)
        stored = removed["passages"] or removed["facts"]
        missing += not stored
        counts = f"removed ({removed['passages']} passages, {removed['facts']} facts)"
        text = counts if stored else f"not stored in the domain {domain}: see `GET /v1/documents`"
        say(f"  {source}: {text}", {"source": source} | removed, as_json=as_json)
    if missing:
        stop(f"documents that were not found: {missing}", BAD_INPUT)


def _folders(targets: list[str]) -> "list[Path]":
    """The folders to watch; the command ends if there is none."""
    from pathlib import Path

    folders = [path for target in targets if (path := Path(target).expanduser()).is_dir()]
    if not folders:
        stop("--watch follows folders: name one", BAD_INPUT)
    return folders
