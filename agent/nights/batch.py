"""Applies a function to the turns of a large log: in this process, or on a Ray cluster with Ray Data."""

import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from memory.records.base import Record
from memory.records.interactions import Interaction

BATCH = 50
"""Turns per call, as many as a night stores together."""
LOCAL = "local"
"""Address of a cluster that is started on this machine, unless this process is connected to one."""
R = TypeVar("R", bound=Record)
TurnFunction = Callable[[Sequence[Interaction]], Sequence[R]]
"""Makes one record of each turn, in their order."""


class MissingRay(ImportError):
    """A Ray address is set, but Ray is not installed."""


def map_turns(
    turns: Sequence[Interaction],
    function: TurnFunction[R],
    result: type[R],
    *,
    ray_address: str | None = None,
    workers: int | None = None,
    batch: int = BATCH,
) -> tuple[R, ...]:
    """The records that `function` makes of the turns, in their order; `result` is their type. Blocks.

    Without `ray_address` they are made here, batch by batch. With the address of a cluster, or LOCAL, the
    same batches are spread over `workers` of it (None for one per core), so that the records are the same;
    each worker gets a copy of `function`, which has to be picklable and may load a model on its first call.
    Raises MissingRay, and ValueError if there is not one record for each turn.
    """
    if ray_address is not None:
        return _with_ray(turns, function, result, ray_address, workers, batch)
    return tuple(record for part in _parts(turns, batch) for record in _checked(function, part))


def _with_ray(
    turns: Sequence[Interaction],
    function: TurnFunction[R],
    result: type[R],
    address: str,
    workers: int | None,
    batch: int,
) -> tuple[R, ...]:
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise MissingRay("Ray is not installed: pip install 'nightschool[ray]'") from error
    parts = [
        {"number": number, "turns": [turn.model_dump_json() for turn in part]}
        for number, part in enumerate(_parts(turns, batch))
    ]
    if not parts:
        return ()
    if not ray.is_initialized():
        own: dict[str, Any] = {"num_cpus": workers, "include_dashboard": False} if address == LOCAL else {}
        ray.init(address=address, log_to_driver=False, logging_level=logging.WARNING, **own)
    ray.data.DataContext.get_current().enable_progress_bars = False
    size = min(workers or max(1, int(ray.cluster_resources().get("CPU", 1))), len(parts))
    # A block for each batch, so that a worker without work finds some.
    dataset = ray.data.from_items(parts, override_num_blocks=len(parts)).map(
        _Worker, fn_constructor_args=(function,), compute=ray.data.ActorPoolStrategy(size=size)
    )
    rows: list[dict[str, Any]] = sorted(dataset.take_all(), key=lambda row: int(row["number"]))
    return tuple(result.model_validate_json(text) for row in rows for text in row["records"])


class _Worker:
    """Makes the records of batches that arrive, and leave, as JSON."""

    def __init__(self, function: TurnFunction[Any]) -> None:
        self._function = function

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        turns = [Interaction.model_validate_json(text) for text in row["turns"]]
        records = _checked(self._function, turns)
        return {"number": row["number"], "records": [record.model_dump_json() for record in records]}


def _checked(function: TurnFunction[R], part: Sequence[Interaction]) -> Sequence[R]:
    records = function(part)
    if len(records) != len(part):
        raise ValueError(f"{len(part)} turns gave {len(records)} records: it has to be one each")
    return records


def _parts(turns: Sequence[Interaction], batch: int) -> Iterator[Sequence[Interaction]]:
    for start in range(0, len(turns), batch):
        yield turns[start : start + batch]
