"""Perspectives of one database: which documents speak from which viewpoint, and what each counts for."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from pydantic import TypeAdapter
from sqlalchemy import delete, select, update

from memory.database.database import Database
from memory.database.tables import PERSPECTIVE_DOCUMENTS, PERSPECTIVES
from memory.errors import UnknownPerspective
from memory.ingest.writer import Place
from memory.records.access import Access
from memory.records.base import Domain, digest_of
from memory.records.perspectives import Perspective, PerspectiveName, Viewpoints
from memory.server.audit import AuditLog

_DOCUMENTS, _PERSPECTIVES = PERSPECTIVE_DOCUMENTS.c, PERSPECTIVES.c
_NAME: TypeAdapter[str] = TypeAdapter(PerspectiveName)


class Perspectives:
    """The perspectives of one database. Every method may raise StoreUnavailable."""

    def __init__(self, database: Database, *, audit_heads: Path | None = None) -> None:
        """`audit_heads` is the file of the audit log's hashes."""
        self._database = database
        self._audit = AuditLog(database, audit_heads)

    async def declare(self, places: Iterable[Place], name: str) -> None:
        """Lets the documents speak from the perspective alone, which is new with weight 1.

        Raises ValueError (pydantic's) for a name that is none.
        """
        name = _NAME.validate_python(name)
        rows = [{"id": _id(place), **place._asdict(), "name": name} for place in places]
        known = [
            {"domain": domain, "name": name, "weight": 1.0} for domain in {row["domain"] for row in rows}
        ]
        if not rows:
            return
        async with self._database.begin() as connection:
            await connection.execute(self._database.insert_once(PERSPECTIVES), known)
            await connection.execute(self._database.upsert(PERSPECTIVE_DOCUMENTS), rows)

    async def withdraw(self, places: Iterable[Place]) -> None:
        """Lets the documents speak from no perspective."""
        ids = [_id(place) for place in places]
        async with self._database.begin() as connection:
            await connection.execute(delete(PERSPECTIVE_DOCUMENTS).where(_DOCUMENTS.id.in_(ids)))

    async def weigh(self, domain: Domain, name: str, weight: float, *, by: str) -> None:
        """Sets what a perspective counts for. Raises UnknownPerspective."""
        details = {"domain": domain, "weight": weight}
        audited = self._audit.acting("perspective.weigh", by=by, subject=name, details=details)
        named = (_PERSPECTIVES.domain == domain, _PERSPECTIVES.name == name)
        async with audited, self._database.begin() as connection:
            done = await connection.execute(update(PERSPECTIVES).where(*named).values(weight=weight))
            if not done.rowcount:
                raise UnknownPerspective(
                    f"no perspective {name!r} in the domain {domain}: `nightschool perspectives list` shows"
                    " all; `nightschool ingest --perspective` declares one"
                )

    async def all(self, *, access: Access, domain: Domain | None = None) -> tuple[Perspective, ...]:
        """Those of documents that `access` lets read, by domain and name."""
        viewpoints = await self.viewpoints(domain)
        documents = Counter(
            (domain, name)
            for (_, domain, owner), name in viewpoints.names.items()
            if access.may_read(owner, domain)
        )
        return tuple(
            Perspective(name=name, domain=domain, weight=viewpoints.weights[domain, name], documents=count)
            for (domain, name), count in sorted(documents.items())
        )

    async def viewpoints(self, domain: Domain | None = None) -> Viewpoints:
        """Who speaks from where, in one domain or in all."""
        documents, perspectives = select(PERSPECTIVE_DOCUMENTS), select(PERSPECTIVES)
        if domain is not None:
            documents = documents.where(_DOCUMENTS.domain == domain)
            perspectives = perspectives.where(_PERSPECTIVES.domain == domain)
        async with self._database.begin() as connection:
            spoken = (await connection.execute(documents)).all()
            weighed = (await connection.execute(perspectives)).all()
        return Viewpoints(
            names={(row.source, row.domain, row.owner): row.name for row in spoken},
            weights={(row.domain, row.name): row.weight for row in weighed},
        )


def _id(place: Place) -> str:
    return digest_of([*place])[:32]
