"""The attacks of nights in the relational store."""

from sqlalchemy import select

from memory.database.database import Database
from memory.database.tables import ATTACKS, INTERACTIONS
from memory.nights.rows import made, night_made
from memory.records.access import EVERYTHING, Access
from memory.records.attacks import Attack, AttackResult

MOST = 10_000


class Attacks:
    """The attacks of one database. Every method may raise StoreUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def save(self, attack: Attack) -> None:
        """Saves an attack, in place of one with the same id; not if its turn has been deleted meanwhile."""
        columns = {"interaction_id": attack.interaction_id, "result": attack.result}
        async with self._database.begin() as connection:
            if attack.interaction_id is not None:
                turn = select(INTERACTIONS.c.id).where(INTERACTIONS.c.id == attack.interaction_id)
                if (await connection.execute(turn.with_for_update(read=True))).scalar() is None:
                    return
            await connection.execute(self._database.upsert(ATTACKS), [night_made(attack) | columns])

    async def list(
        self,
        *,
        night_id: str | None = None,
        domain: str | None = None,
        result: AttackResult | None = None,
        access: Access = EVERYTHING,
        limit: int = MOST,
    ) -> tuple[Attack, ...]:
        """Attacks that match all filters and whose sources may be read, newest first; None matches all."""
        query = made(ATTACKS, None, limit, access=access, night_id=night_id, domain=domain, result=result)
        async with self._database.begin() as connection:
            bodies = (await connection.execute(query)).scalars().all()
        found = map(Attack.model_validate, bodies)
        return tuple(attack for attack in found if access.may_quote([attack.citation]))
