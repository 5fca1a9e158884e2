"""`nightschool ingest`: reads files, folders and URLs on this machine and sends their bytes to the service.

The service extracts passages and facts, so that only one process writes to the stores.
"""

from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.shell import BAD_INPUT, console, service, settings, stop

if TYPE_CHECKING:
    from api.cli.client import Client
    from memory.ingest.documents import RawDocument
    from memory.ingest.pipeline import Failure


def ingest(
    targets: Annotated[
        list[str], typer.Argument(help="Files, folders or http(s) URLs.", metavar="PATH|URL...")
    ],
    domain: Annotated[str, typer.Option(help="Domain that the documents belong to.")] = "general",
) -> None:
    """Read documents (Markdown, text, HTML, PDF) into memory; reading them again changes nothing."""
    from memory.errors import IngestError
    from memory.ingest.pipeline import read_target

    failed = 0
    most = settings().max_document_bytes
    with service() as client:
        for target in targets:
            try:
                for document in read_target(target, max_bytes=most):
                    failed += not _send(client, document, domain)
            except IngestError as error:
                failed += 1
                _print(str(error))
    if failed:
        stop(f"sources that could not be read and were not stored: {failed}", BAD_INPUT)


def _send(client: "Client", document: "RawDocument | Failure", domain: str) -> bool:
    """Sends one document and prints the result; False if it cannot be read."""
    from api.cli.client import Refused
    from memory.ingest.pipeline import Failure

    if isinstance(document, Failure):
        _print(document.reason)
        return False
    query = {"source": document.source, "title": document.title, "domain": domain}
    try:
        report = client.upload("/v1/documents", document.data, document.media_type, **query)
    except Refused as error:
        if error.status >= 500:
            raise
        _print(str(error))
        return False
    what = f"{report['passages']} passages, {report['facts']} facts"
    _print(f"{document.source}: {'unchanged' if report['unchanged'] else what}")
    return True


def _print(message: str) -> None:
    console().print(f"  {message}", markup=False, soft_wrap=True)
