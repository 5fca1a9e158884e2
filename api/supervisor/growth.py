"""Composes growing from one added model to another, on the stores of a home folder."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from agent.engines.local import LocalEngine
from agent.growth.transfer import Growing, Watch
from agent.models.store import AddedModel
from agent.registry import open_registry
from agent.settings import Settings
from api.supervisor.components import worker
from api.supervisor.growth_worker import growth_worker
from memory.errors import BadSignature
from memory.outbox.approvals import check_approval
from memory.outbox.base import Outbox
from memory.records.adapters import Adapter
from memory.records.base import Digest
from memory.records.runs import Lever
from memory.signatures import FOLDER as KEYS
from memory.signatures import SigningKeys


def growing_of(
    settings: Settings,
    models: tuple[AddedModel, AddedModel],
    lever: Lever,
    folder: Path,
    outbox: Outbox,
    watch: Watch,
    promoting: Callable[[Adapter], AbstractAsyncContextManager[None]],
) -> Growing:
    """The dependencies of growing from the first of the models to the second.

    `folder` is for answers and the worker's log, `outbox` one whose jobs move to the second model, and
    `promoting` stands around each promotion. Raises StoreUnavailable and ModelError.
    """
    home, (source, target) = settings.home.resolve(), models
    registry = open_registry(settings, source.card.digest)
    command = worker(settings.model_copy(update={"model": target.name})).command
    return Growing(
        source=source,
        target=target,
        source_adapters=registry,
        target_adapters=registry.on_base(target.card.digest),
        outbox=outbox,
        unapproved=unapproved(home),
        open_engine=lambda model: LocalEngine.open(model.folder, model.card.template),
        worker=lambda: growth_worker(settings, target, command, folder / "worker.log"),
        promoting=promoting,
        folder=folder,
        watch=watch,
        lever=lever,
        run_id=f"grow-{source.name}-{target.name}"[:100],
    )


def unapproved(home: Path) -> Callable[[Digest], str | None]:
    """Says why the approval of a curriculum in the home's outbox does not hold; None if it does."""
    keys = SigningKeys(home / KEYS)

    def reason(digest: Digest) -> str | None:
        try:
            check_approval(keys, home / "outbox", digest)
        except BadSignature as error:
            return str(error)
        return None

    return reason
