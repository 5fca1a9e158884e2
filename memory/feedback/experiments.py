"""Experiments in the relational store: one that runs per domain, its log, and the units exposed to it."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import RowMapping, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from memory.database.database import Database
from memory.database.tables import EXPERIMENTS, EXPOSURES
from memory.errors import AlreadyExists, UnknownExperiment
from memory.records.base import Domain
from memory.records.experiments import Experiment, ExperimentDecision, ExperimentStatus


class Experiments:
    """The experiments of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, experiment: Experiment) -> Experiment:
        """Stores a new experiment. Raises AlreadyExists if one runs on the domain."""
        row = {
            "id": experiment.id,
            "domain": experiment.domain,
            "created_at": experiment.created_at.timestamp(),
            **_changing(experiment),
        }
        try:
            async with self._database.begin() as connection:
                await connection.execute(insert(EXPERIMENTS).values(row))
        except IntegrityError as error:
            others = await self.list(domain=experiment.domain, status="running")
            if not others:
                raise AlreadyExists(f"an experiment with id {experiment.id} exists already") from error
            raise AlreadyExists(
                f"experiment {others[0].id} ({others[0].name}) runs on {experiment.domain}: wait for its end,"
                f" or stop it with `nightschool ab stop {others[0].id} --reason ...`"
            ) from error
        return experiment

    async def get(self, experiment_id: str) -> Experiment:
        """The experiment with this id. Raises UnknownExperiment."""
        async with self._database.begin() as connection:
            return await _find(connection, experiment_id)

    async def list(
        self, *, domain: Domain | None = None, status: ExperimentStatus | None = None, limit: int = 100
    ) -> tuple[Experiment, ...]:
        """Experiments, newest first; all of them, or those of a domain or with a status."""
        query = select(EXPERIMENTS).order_by(EXPERIMENTS.c.created_at.desc(), EXPERIMENTS.c.id).limit(limit)
        if domain is not None:
            query = query.where(EXPERIMENTS.c.domain == domain)
        if status is not None:
            query = query.where(EXPERIMENTS.c.status == status)
        async with self._database.begin() as connection:
            return tuple(_experiment(row) for row in (await connection.execute(query)).mappings())

    async def running(self) -> tuple[Experiment, ...]:
        """All running experiments, by domain; cheap enough to poll."""
        query = select(EXPERIMENTS).where(EXPERIMENTS.c.status == "running").order_by(EXPERIMENTS.c.domain)
        async with self._database.begin() as connection:
            return tuple(_experiment(row) for row in (await connection.execute(query)).mappings())

    async def append(self, experiment_id: str, decision: ExperimentDecision, **changes: Any) -> Experiment:
        """Adds an entry to the running experiment's log and returns it; `changes` are fields that it sets.

        An entry `promoted`, `stopped` or `rolled_back` ends the experiment in the same transaction. Raises
        UnknownExperiment, and ValueError if it has ended or for a field's invalid value.
        """
        async with self._database.begin() as connection:
            current = await _find(connection, experiment_id, lock=True)
            if current.status != "running":
                raise ValueError(f"experiment {experiment_id} has ended ({current.status}): start a new one")
            ended = decision.action in ("promoted", "stopped", "rolled_back")
            end = {"status": decision.action, "ended_at": decision.at} if ended else {}
            fields = current.model_dump() | changes | end | {"log": (*current.log, decision)}
            changed = Experiment.model_validate(fields)
            this = update(EXPERIMENTS).where(EXPERIMENTS.c.id == experiment_id)
            await connection.execute(this.values(_changing(changed)))
        return changed

    async def exposures(self, experiment_id: str, version: int = 1) -> Mapping[str, int]:
        """Number of units exposed to each variant, the holdout too; variants without any are missing."""
        query = (
            select(EXPOSURES.c.variant, func.count())
            .where(EXPOSURES.c.experiment_id == experiment_id, EXPOSURES.c.version == version)
            .group_by(EXPOSURES.c.variant)
        )
        async with self._database.begin() as connection:
            return {row[0]: row[1] for row in await connection.execute(query)}


def _changing(experiment: Experiment) -> dict[str, Any]:
    return {"status": experiment.status, "body": experiment.model_dump(mode="json")}


async def _find(connection: AsyncConnection, experiment_id: str, *, lock: bool = False) -> Experiment:
    query = select(EXPERIMENTS).where(EXPERIMENTS.c.id == experiment_id)
    row = None
    if "\0" not in experiment_id:  # PostgreSQL cannot even look for it
        row = (await connection.execute(query.with_for_update() if lock else query)).mappings().first()
    if row is None:
        raise UnknownExperiment(f"no experiment {experiment_id}: `nightschool ab status` lists them")
    return _experiment(row)


def _experiment(row: RowMapping) -> Experiment:
    return Experiment.model_validate(row["body"])
