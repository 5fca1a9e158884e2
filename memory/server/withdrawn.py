"""Sentences that were withdrawn: what a person found wrong in a document stays out when it is read again."""

from pathlib import Path

from sqlalchemy import ColumnElement, delete, select

from memory.database.database import Database
from memory.database.tables import WITHDRAWN_SENTENCES
from memory.errors import UnknownSentence
from memory.ingest.withdrawn import without
from memory.ingest.writer import Contents, Place
from memory.records.access import Access
from memory.records.base import digest_of
from memory.records.knowledge import WithdrawnSentence
from memory.server.audit import AuditLog

_COLUMNS = WITHDRAWN_SENTENCES.c


class WithdrawnSentences:
    """The withdrawn sentences of one database. Every method may raise StoreUnavailable."""

    def __init__(self, database: Database, *, audit_heads: Path | None = None) -> None:
        """`audit_heads` is the file of the audit log's hashes."""
        self._database = database
        self._audit = AuditLog(database, audit_heads)

    async def add(self, place: Place, sentence: str, *, reason: str, by: str) -> WithdrawnSentence:
        """Notes that the sentence is wrong; `DocumentWriter.rewrite` then takes it out of what is stored."""
        source, domain, owner = place
        withdrawn = WithdrawnSentence(
            id=digest_of([source, domain, owner, sentence])[:32],
            source=source,
            domain=domain,
            owner=owner,
            sentence=sentence,
            reason=reason,
            by=by,
            at=self._database.now(),
        )
        row = {"id": withdrawn.id, **place._asdict(), "body": withdrawn.model_dump(mode="json")}
        audited = self._audit.acting(
            "sentence.withdraw", by=by, subject=withdrawn.id, details={"domain": domain}
        )
        async with audited, self._database.begin() as connection:
            await connection.execute(self._database.upsert(WITHDRAWN_SENTENCES).values(row))
        return withdrawn

    async def remove(self, id: str, *, by: str, access: Access) -> WithdrawnSentence:
        """Lets the sentence stand again; it comes back when its document is read the next time.

        Raises UnknownSentence, also for one of another's or a shared document, and DomainClosed.
        """
        async with self._database.begin() as connection:
            body = (
                await connection.execute(select(_COLUMNS.body).where(_COLUMNS.id == id))
            ).scalar_one_or_none()
        found = None if body is None else WithdrawnSentence.model_validate(body)
        if found is None or not access.may_read(found.owner, found.domain):
            raise UnknownSentence(f"no withdrawn sentence {id}: `nightschool memory withdrawn` lists them")
        access.require_write(found.domain)
        if found.owner not in (access.owner_of_new(found.domain), access.explorer):
            raise UnknownSentence(f"sentence {id} was withdrawn from a document that is not yours")
        audited = self._audit.acting(
            "sentence.reinstate", by=by, subject=id, details={"domain": found.domain}
        )
        async with audited, self._database.begin() as connection:
            await connection.execute(delete(WITHDRAWN_SENTENCES).where(_COLUMNS.id == id))
        return found

    async def all(self, *, access: Access, domain: str | None = None) -> tuple[WithdrawnSentence, ...]:
        """Those of documents that `access` lets read, latest first."""
        condition = () if domain is None else (_COLUMNS.domain == domain,)
        readable = [
            each for each in await self._found(*condition) if access.may_read(each.owner, each.domain)
        ]
        return tuple(sorted(readable, key=lambda each: (each.at, each.id), reverse=True))

    async def of(self, place: Place) -> frozenset[str]:
        """The withdrawn sentences of one document."""
        source, domain, owner = place
        found = await self._found(_COLUMNS.source == source, _COLUMNS.domain == domain)
        return frozenset(each.sentence for each in found if each.owner == owner)

    async def corrected(self, place: Place, contents: Contents) -> Contents:
        """What was read of a document, without the sentences that are withdrawn."""
        return without(contents, await self.of(place))

    async def _found(self, *conditions: ColumnElement[bool]) -> list[WithdrawnSentence]:
        async with self._database.begin() as connection:
            bodies = (await connection.execute(select(_COLUMNS.body).where(*conditions))).scalars().all()
        return [WithdrawnSentence.model_validate(body) for body in bodies]
