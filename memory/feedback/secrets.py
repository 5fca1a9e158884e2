"""Random secrets of a service that its processes share; made once and kept in the database."""

import secrets

from sqlalchemy import select

from memory.database.database import Database
from memory.database.tables import SECRETS

PSEUDONYMS = "pseudonyms"
"""Name of the key that pseudonyms of users are made with."""
PRIVACY = "privacy"
"""Name of the key of the hashes that take the place of personal data."""
SECRET_BYTES = 32


async def get_secret(database: Database, name: str) -> str:
    """The secret of that name in hexadecimal; the first call makes it, of all processes.

    Raises StoreUnavailable.
    """
    new = database.insert_once(SECRETS).values(name=name, value=secrets.token_hex(SECRET_BYTES))
    async with database.begin() as connection:
        await connection.execute(new)
        return str(
            (await connection.execute(select(SECRETS.c.value).where(SECRETS.c.name == name))).scalar_one()
        )
