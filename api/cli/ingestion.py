"""Sends the documents of files, folders and URLs to the service, several at once, and counts the results."""

import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from api.cli.client import Client, Refused, Unreachable
from api.cli.folder_changes import Changes, inside
from api.cli.shell import console, print_json
from memory.errors import IngestError
from memory.ingest.folders import Failure, Found, Skipped, find, find_below
from memory.ingest.loaders.formats import TABLES, TRIPLES
from memory.ingest.sources import is_url, names_begin, source_of

AT_ONCE = 8
"""Documents on their way: while the service stores some, it reads the next ones."""
PROGRESS_SECONDS = 10.0
RETRY_SECONDS = 5.0
"""After which changes are sent again that the service could not take."""
NOTHING_TO_READ = "nothing_to_read"
"""Code of the service's refusal of a sound file that has nothing to read, as many in a folder of code."""
SHOWN = 20
"""Skipped files that are named one by one."""


@dataclass
class FolderContents:
    """Names of the documents that a folder has."""

    sources: set[str] = field(default_factory=set)
    unread: set[str] = field(default_factory=set)
    """What the names begin with in its folders that were not read."""

    def may_have(self, source: str) -> bool:
        """Whether the document is in the folder, or in one that was not read."""
        return source in self.sources or source.startswith(tuple(self.unread))


class Ingestion:
    """One run of `nightschool ingest`."""

    def __init__(
        self,
        client: Client,
        domain: str,
        max_bytes: int,
        document_seconds: float,
        *,
        dry_run: bool,
        triples: bool,
        perspective: str | None = None,
        as_json: bool = False,
    ) -> None:
        self._client = client
        self._domain = domain
        self._max_bytes = max_bytes
        # A document may be read after all others that are on their way, and it is stored before the reply.
        self._reply_seconds = AT_ONCE * document_seconds
        self._dry_run = dry_run
        self._triples = triples
        self._perspective = perspective
        self._as_json = as_json
        self._counts: Counter[str] = Counter()
        self._skipped: list[Skipped] = []
        self._passages = 0
        self._begun = self._shown = time.monotonic()

    @property
    def failed(self) -> int:
        """Documents that could not be read."""
        return self._counts["failed"]

    def read(self, target: str, *, prune: bool) -> None:
        """Sends the documents of a file, folder or URL.

        Documents that are stored, but no more in the folder, are named, and removed with `prune`. Raises
        IngestError as `find` does, Unreachable, and Refused if the service fails.
        """
        contents = FolderContents()
        self._send_all(self._noted(find(target, max_bytes=self._max_bytes), contents))
        path = Path(target).expanduser()
        if not is_url(target) and path.is_dir():
            self._compare(path, contents, prune=prune)

    def fail(self, reason: str) -> None:
        """Prints and counts what could not be read."""
        self._counts["failed"] += 1
        self._say(reason, kind="failed", reason=reason)

    def summarize(self) -> None:
        """Prints what was skipped, and the counts."""
        shown = len(self._skipped) if self._as_json else SHOWN
        self._skipped.sort(key=lambda each: not each.unread)  # folders first
        for skipped in self._skipped[:shown]:
            reason = f"skipped {skipped.reason}"
            self._say(reason, kind="skipped", source=skipped.source, reason=skipped.reason)
        if more := self._skipped[shown:]:
            kinds = Counter(Path(each.source).suffix or "no extension" for each in more)
            _print(f"skipped {len(more)} more: {', '.join(f'{n} {kind}' for kind, n in kinds.most_common())}")
        self._counts["skipped"] += len(self._skipped)
        seconds = max(time.monotonic() - self._begun, 0.001)
        names = ("new", "changed", "unchanged", "removed", "gone", "skipped", "failed")
        counts = (
            ", ".join(f"{self._counts[name]} {name}" for name in names if self._counts[name]) or "nothing"
        )
        if self._as_json:
            print_json([self._counts | {"passages": self._passages, "seconds": round(seconds, 1)}])
            return
        what = "Would be" if self._dry_run else "Documents"
        console().print(f"{what}: {counts}; {self._passages} passages in {seconds:.1f} s.", markup=False)

    def follow(self, folders: Iterable[Path], changes: Iterable[Changes]) -> None:
        """Sends what is added or changed in the folders and removes what is deleted, until the changes end.

        While the service is away or fails, they wait. Raises Refused if it refuses the whole request.
        """
        waiting, retry_at = Changes(), 0.0
        for latest in changes:
            waiting |= latest
            if not waiting or time.monotonic() < retry_at:
                continue
            try:
                for folder in folders:
                    self._follow_one(folder, waiting)
            except (Unreachable, Refused) as error:
                if isinstance(error, Refused) and error.status < 500:
                    raise
                retry_at = time.monotonic() + RETRY_SECONDS
                self._say(f"{error}; the changes wait", kind="waiting", reason=str(error))
            else:
                waiting = Changes()

    def _follow_one(self, folder: Path, changes: Changes) -> None:
        paths = sorted(filter(None, (inside(path, folder) for path in changes.there)))
        found = {
            each.source: each
            for path in paths
            for each in find_below(path, folder, max_bytes=self._max_bytes)
        }
        self._send_all(self._noted(found.values(), FolderContents()))
        if any(inside(path, folder) and not path.exists() for path in changes.deleted):
            self._remove_deleted(folder)

    def _noted(self, found: Iterable[Found | Skipped | Failure], contents: FolderContents) -> Iterator[Found]:
        """The documents; notes their names in `contents`, and what cannot be read."""
        for each in found:
            if isinstance(each, Found):
                contents.sources.add(each.source)
                yield each
            elif isinstance(each, Failure):
                contents.sources.add(each.source)
                self.fail(each.reason)
            else:
                self._skipped.append(each)
                contents.unread |= {each.unread} - {""}

    def _send_all(self, documents: Iterable[Found]) -> None:
        """Sends the documents, AT_ONCE at a time, and prints the results in their order."""
        sent: deque[tuple[Found, Future[Any]]] = deque()
        with ThreadPoolExecutor(AT_ONCE) as pool:
            try:
                for document in documents:
                    sent.append((document, pool.submit(self._send, document)))
                    if len(sent) > 2 * AT_ONCE:
                        self._show(*sent.popleft())
                while sent:
                    self._show(*sent.popleft())
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _send(self, found: Found) -> Any:
        """The service's report on one document. Raises IngestError, Refused, Unreachable."""
        document = found.read()
        if self._triples and document.media_type in TABLES:
            document = document.model_copy(update={"media_type": TRIPLES})
        query = {"source": document.source, "title": document.title, "domain": self._domain}
        if self._dry_run:
            query["dry_run"] = "true"
        if self._perspective:
            query["perspective"] = self._perspective
        charset = f"; charset={document.charset}" if document.charset else ""
        return self._client.upload(
            "/v1/documents",
            document.data,
            document.media_type + charset,
            query,
            seconds=self._reply_seconds,
        )

    def _show(self, found: Found, sent: "Future[Any]") -> None:
        source = found.source
        try:
            report = sent.result()
        except IngestError as error:
            self.fail(str(error))
            return
        except Refused as error:
            if error.status >= 500:
                raise
            if found.in_folder and error.code == NOTHING_TO_READ:
                self._skipped.append(Skipped(source, str(error)))
            else:
                self.fail(str(error))
            return
        except Unreachable:
            self._client.readiness()  # raises Unreachable if the service is gone
            self.fail(f"{source}: the service answers, but not about this document: see its log")
            return
        kind = "unchanged" if report["unchanged"] else "changed" if report["changed"] else "new"
        self._counts[kind] += 1
        self._passages += report["passages"]
        counts = f", {report['passages']} passages, {report['facts']} facts" if kind != "unchanged" else ""
        self._say(f"{source}: {kind}{counts}", **report, kind=kind, source=source)
        if self._as_json:
            return
        for _, text in report["notes"]:
            _print(f"  {text}")
        if time.monotonic() - self._shown > PROGRESS_SECONDS:
            self._shown = time.monotonic()
            rate = self._passages / (self._shown - self._begun)
            _print(f"... {sum(self._counts.values())} documents, {rate:.0f} passages/s")

    def _remove_deleted(self, folder: Path) -> None:
        """Removes the documents that are in the folder no more, unless the folder is gone itself."""
        contents = FolderContents()
        with suppress(IngestError):  # it is empty, or gone itself
            for each in find(str(folder), max_bytes=self._max_bytes):
                if isinstance(each, Skipped):
                    contents.unread |= {each.unread} - {""}
                else:
                    contents.sources.add(each.source)
        if folder.is_dir():
            self._compare(folder, contents, prune=True)
        else:
            reason = f"{folder}: the folder is gone; its documents stay"
            self._say(reason, kind="skipped", source=str(folder), reason=reason)

    def _compare(self, folder: Path, contents: FolderContents, *, prune: bool) -> None:
        """Names or removes the stored documents that are in the folder no more."""
        beginning = names_begin(folder)
        for source in list(self._client.sources(self._domain)):  # before any is removed
            if not beginning or not source.startswith(beginning) or contents.may_have(source):
                continue
            if not prune or self._dry_run:
                self._counts["gone"] += 1
                self._say(f"{source}: no more in the folder; --prune removes it", kind="gone", source=source)
                continue
            removed = self._client.delete("/v1/documents", source=source, domain=self._domain)
            if removed["passages"] or removed["facts"]:  # else it is another owner's
                self._counts["removed"] += 1
                self._say(f"{source}: removed", kind="removed", source=source)

    def _say(self, sentence: str, **result: Any) -> None:
        """Prints a line about one document: as a sentence, or as an object."""
        if self._as_json:
            print_json([result])
        else:
            _print(sentence)


def require_distinct_names(targets: Iterable[str]) -> None:
    """Raises IngestError if two of the files and folders would have documents of the same name.

    The later one would replace the documents of the other, and pruning would remove them.
    """
    paths = [Path(target).expanduser().resolve() for target in targets if not is_url(target)]
    folders = {path for path in paths if path.is_dir()}
    owners: dict[str, Path] = {}
    for path in (*sorted(folders), *(path for path in paths if path.is_file())):
        folder = path if path in folders else path.parent
        claims = {names_begin(folder): folder}
        if path not in folders:
            claims[source_of(path, folder)] = path
        for name, claimant in claims.items():
            owner = owners.get(name, claimant)
            if owner != claimant:
                raise IngestError(
                    f"{owner} and {claimant}: documents of both would be named {name}: give one another"
                    " --domain, in a call of its own, or rename it"
                )
            if path in folders or claimant == path:
                owners[name] = claimant


def _print(message: str) -> None:
    console().print(f"  {message}", markup=False, soft_wrap=True)
