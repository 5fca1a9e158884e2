"""Perspectives of one database: which documents speak from which viewpoint, and what each counts for."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from pydantic import TypeAdapter
from sqlalchemy import and_, delete, exists, select, update

from memory.database.database import Database
from memory.database.tables import PERSPECTIVE_DOCUMENTS, PERSPECTIVES
from memory.errors import PerspectiveTaken, UnknownPerspective
from memory.ingest.writer import Place
from memory.records.access import EVERYTHING, Access
from memory.records.base import Domain, digest_of
from memory.records.perspectives import Perspective, PerspectiveName, Viewpoints
from memory.server.audit import AuditLog

_DOCUMENTS, _PERSPECTIVES = PERSPECTIVE_DOCUMENTS.c, PERSPECTIVES.c
_USED = exists().where(_DOCUMENTS.domain == _PERSPECTIVES.domain, _DOCUMENTS.name == _PERSPECTIVES.name)
UNWEIGHED = 1.0
"""The weight of a perspective that no admin has weighed."""
UNUSED = and_(~_USED, _PERSPECTIVES.weight == UNWEIGHED)
"""Of perspectives: no document speaks from it any more. What an admin weighed stays, so that who declares the
documents cannot undo it."""
_NAME: TypeAdapter[str] = TypeAdapter(PerspectiveName)


class Perspectives:
    """The perspectives of one database. Every method may raise StoreUnavailable."""

    def __init__(self, database: Database, *, audit_heads: Path | None = None) -> None:
        """`audit_heads` is the file of the audit log's hashes."""
        self._database = database
        self._audit = AuditLog(database, audit_heads)

    async def usable(self, name: str, domain: Domain, owner: str | None, *, access: Access) -> str:
        """The name as earlier documents of the domain spell it, for a document of this owner.

        Raises PerspectiveTaken for the name of a perspective from which documents of others speak, unless
        `access` reads everything, and ValueError (pydantic's) for a name that is none.
        """
        name = _NAME.validate_python(name)
        async with self._database.begin() as connection:
            known = await connection.execute(select(_PERSPECTIVES.name).where(_PERSPECTIVES.domain == domain))
            spelled: dict[str, str] = {used.casefold(): used for used in known.scalars()}
            named = spelled.get(name.casefold(), name)
            if access.everything:
                return named
            spoken = select(_DOCUMENTS.owner).distinct()
            found = await connection.execute(
                spoken.where(_DOCUMENTS.domain == domain, _DOCUMENTS.name == named)
            )
            owners = {*found.scalars()}
        if owners - {access.owner, owner}:
            raise PerspectiveTaken(
                f"documents of others speak from {named!r} in the domain {domain}: choose another name,"
                " or ask an admin to declare it"
            )
        return named

    async def declare(self, places: Iterable[Place], name: str, *, access: Access) -> None:
        """Lets the documents speak from the perspective alone; one that was never weighed has weight 1.

        Raises what `usable` raises.
        """
        places = tuple(places)
        named = {
            (domain, owner): await self.usable(name, domain, owner, access=access)
            for domain, owner in {(place.domain, place.owner) for place in places}
        }
        if not places:
            return
        rows = [
            {"id": _id(place), **place._asdict(), "name": named[place.domain, place.owner]}
            for place in places
        ]
        new = [{"domain": domain, "name": used, "weight": UNWEIGHED} for (domain, _), used in named.items()]
        async with self._database.begin() as connection:
            await connection.execute(self._database.insert_once(PERSPECTIVES), new)
            await connection.execute(self._database.upsert(PERSPECTIVE_DOCUMENTS), rows)
            await connection.execute(delete(PERSPECTIVES).where(UNUSED))

    async def withdraw(self, places: Iterable[Place]) -> None:
        """Lets the documents speak from no perspective; one without documents is gone, but for its weight."""
        ids = [_id(place) for place in places]
        async with self._database.begin() as connection:
            await connection.execute(delete(PERSPECTIVE_DOCUMENTS).where(_DOCUMENTS.id.in_(ids)))
            await connection.execute(delete(PERSPECTIVES).where(UNUSED))

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
        viewpoints = await self.viewpoints(access)
        documents = Counter((of, name) for (_, of, _), name in viewpoints.names.items())
        return tuple(
            Perspective(name=name, domain=of, weight=viewpoints.weights[of, name], documents=count)
            for (of, name), count in sorted(documents.items())
            if domain in (None, of)
        )

    async def viewpoints(self, access: Access = EVERYTHING) -> Viewpoints:
        """Who speaks from where, in all domains, as far as `access` lets the documents be read."""
        async with self._database.begin() as connection:
            spoken = (await connection.execute(select(PERSPECTIVE_DOCUMENTS))).all()
            weighed = (await connection.execute(select(PERSPECTIVES))).all()
        names = {
            (row.source, row.domain, row.owner): row.name
            for row in spoken
            if access.may_read(row.owner, row.domain)
        }
        used = {(domain, name) for (_, domain, _), name in names.items()}
        weights = {(row.domain, row.name): row.weight for row in weighed}
        return Viewpoints(names=names, weights={each: weights.get(each, UNWEIGHED) for each in used})


def _id(place: Place) -> str:
    return digest_of([*place])[:32]
