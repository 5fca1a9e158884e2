"""`nightschool models grow`: teaches a base model the lessons of another; needs no running service."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from api.cli.own_database import with_database
from api.cli.shell import BAD_INPUT, FAILED, INTERRUPTED, AsJson, console, print_json, settings, stop

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.growth.records import GrowthReport
    from agent.models.store import AddedModel
    from agent.settings import Settings
    from memory.database.database import Database
    from memory.records.adapters import Adapter

FOLDER = "growth"
"""Subfolder of the home folder for reports, and the answers that models gave."""
ACTOR = "models grow"
"""Who promotes, in the audit log."""


def grow(
    source: Annotated[
        str, typer.Argument(metavar="FROM", help="Name of the added model that has learned the lessons.")
    ],
    target: Annotated[
        str, typer.Argument(metavar="TO", help="Name of the added model that is to learn them.")
    ],
    domain: Annotated[
        str | None, typer.Option(help="Only this domain; default: all that FROM has learned.")
    ] = None,
    lever: Annotated[
        Literal["curriculum", "distillation"],
        typer.Option(
            help="What is taught: the lessons alone, or with them the log-probabilities of FROM's adapter,"
            " which needs equal tokenizers."
        ),
    ] = "curriculum",
    as_json: AsJson = False,
) -> None:
    """Teach the model TO the lessons of the model FROM, and measure whether that paid.

    An interrupted run continues when it is run again. The service may run if it serves TO.
    """
    from agent.errors import AgentError, GrowthError, ModelError
    from agent.growth.report import verdict, write_report
    from agent.growth.transfer import check_models
    from agent.growth.transfer import grow as grow_onto
    from agent.settings import SHARED
    from api.supervisor.growth import growing_of
    from memory.errors import StorageError
    from memory.outbox.dbos import DbosOutbox
    from memory.records.runs import Growth

    configuration = settings()
    try:
        models = _studied(configuration, source), _studied(configuration, target)
        check_models(*models, lever)
        growth = Growth(source=models[0].card.digest, onto=models[1].card.digest, lever=lever)
        configuration.path(SHARED).mkdir(parents=True, exist_ok=True)
        folder = configuration.path(FOLDER) / f"{models[0].name}-to-{models[1].name}"

        async def work(database: "Database", heads: Path) -> "GrowthReport":
            outbox = DbosOutbox(configuration.path("outbox"), configuration.training_url, growth=growth)
            with closing(outbox), _watch(quiet=as_json) as watch:
                promoting = _audited(database, heads)
                growing = growing_of(configuration, models, lever, folder, outbox, watch, promoting)
                return await grow_onto(growing, domain)

        report = with_database(work)
        path = write_report(report, folder)
    except (ModelError, GrowthError) as error:
        stop(str(error), BAD_INPUT)
    except (AgentError, StorageError) as error:
        stop(str(error), FAILED)
    except KeyboardInterrupt:
        stop("stopped; run the same command again to continue", INTERRUPTED)
    if as_json:
        print_json([report.model_dump(mode="json") | {"paid": report.paid, "seconds": report.seconds}])
    else:
        console().print(f"{verdict(report)}\nReport: {path}", markup=False, soft_wrap=True)
    if not any(each.transferred for each in report.domains):
        raise typer.Exit(FAILED)


def _studied(configuration: "Settings", name: str) -> "AddedModel":
    """The added model with its card. Raises UnknownModel, NoModelCard, BadModelCard, ModelRefused."""
    from agent.models.store import AddedModel, ModelStore

    store = ModelStore(configuration.models)
    found = store.find(name) or name
    return AddedModel(name=found, folder=store.path(found), card=store.card(found))


def _audited(database: "Database", heads: Path) -> "Callable[[Adapter], AbstractAsyncContextManager[None]]":
    from memory.server.audit import AuditLog

    log = AuditLog(database, heads)

    @asynccontextmanager
    async def promoting(adapter: "Adapter") -> AsyncIterator[None]:
        async with log.acting("adapter.promote", by=ACTOR, subject=adapter.name):
            yield

    return promoting


class _Bar:
    """What goes on now as a bar, and what has ended as lines above it."""

    def __init__(self, *, quiet: bool) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        self._console, self._quiet = console(), quiet
        self.bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
            disable=quiet or not self._console.is_terminal,
        )
        self._task = self.bar.add_task("", total=None)

    def say(self, line: str) -> None:
        if not self._quiet:
            self._console.print(line, markup=False, soft_wrap=True)

    def progress(self, what: str, done: int, total: int) -> None:
        self.bar.update(self._task, description=what, completed=done, total=total or None)


@contextmanager
def _watch(*, quiet: bool) -> "Iterator[_Bar]":
    shown = _Bar(quiet=quiet)
    with shown.bar:
        yield shown
