"""Opens MLflow's client for the adapter registry: creates its database, and translates its errors."""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from memory.errors import StoreUnavailable

if TYPE_CHECKING:
    from mlflow import MlflowClient


@contextmanager
def registry_errors(what: str = "the adapter registry") -> Iterator[None]:
    """Turns the errors of MLflow and its database into StoreUnavailable."""
    from mlflow.exceptions import MlflowException  # here because the import takes 4 s
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, SQLAlchemyError, OSError) as error:
        raise StoreUnavailable(
            f"{what} cannot be used: check that it is writable, has space and is not locked ({error})",
            part="the adapter registry",
        ) from error


def create_database(database: Path) -> None:
    """Creates MLflow's database in a temporary file and links it into place once it is complete.

    MLflow cannot open a database whose first migration was interrupted. If two processes create it at once,
    the first one wins.
    """
    temporary = database.with_name(f".{database.name}.{uuid.uuid4().hex}")
    try:
        connect(f"sqlite:///{temporary}")
        with suppress(FileExistsError):
            os.link(temporary, database)
    finally:
        temporary.unlink(missing_ok=True)


def connect(url: str) -> "MlflowClient":
    """A client of the database at the URL. Raises StoreUnavailable."""
    if url.startswith("postgresql://"):
        url = url.replace("postgresql:", "postgresql+psycopg:", 1)  # the driver that is installed
    with registry_errors():
        from mlflow import MlflowClient

        try:
            client = MlflowClient(tracking_uri=url, registry_uri=url)
            client.search_registered_models(max_results=1)
        except ValueError:  # whose message may have the password
            raise StoreUnavailable(
                "the adapter registry's URL is malformed: correct NIGHTSCHOOL_REGISTRY_URL",
                part="the adapter registry",
            ) from None
    return client
