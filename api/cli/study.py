"""`nightschool models study`: asks a model about a thousand questions and writes its card."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.shell import BAD_INPUT, FAILED, AsJson, console, disk_trouble, print_json, settings, stop

if TYPE_CHECKING:
    from rich.progress import Progress


def study(
    name: Annotated[str, typer.Argument(help="Name of an added model, as `models list` shows it.")],
    report: Annotated[
        Path | None, typer.Option(help="Folder for a report of the study: a page, figures and a plot.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Study a model: knowledge, calibration and speed. Writes its card; takes minutes.

    An interrupted study continues when it is run again. The card is written at the end.
    """
    import asyncio

    from agent.errors import EngineError, ModelError
    from agent.models.store import ModelStore
    from agent.models.study.added import study_added
    from agent.models.study.report import write_report
    from agent.settings import STUDIES
    from api.supervisor.components import on_gpu

    configuration = settings()
    try:
        if report is not None:
            report.mkdir(parents=True, exist_ok=True)
        with _bars(quiet=as_json) as shown:
            result = asyncio.run(
                study_added(
                    name,
                    ModelStore(configuration.models),
                    configuration.path(STUDIES),
                    lambda what, total: _bar(shown, what, total),
                    gpu_share=configuration.engine_gpu_share if on_gpu(configuration) else None,
                )
            )
        if report is not None:
            write_report(result, f"nightschool models study {name}", report)
    except ModelError as error:
        stop(str(error), BAD_INPUT)
    except EngineError as error:
        stop(str(error), FAILED)
    except OSError as error:
        stop(disk_trouble(error), BAD_INPUT)
    except KeyboardInterrupt:
        stop(f"stopped; run `nightschool models study {name}` again to continue", 130)
    if as_json:
        print_json([result.card.model_dump(mode="json")])
        return
    console().print(f"{name}: {result.card.verdict}", markup=False)
    for reason in result.card.reasons:
        console().print(f"  {reason}", markup=False, soft_wrap=True)


def _bars(*, quiet: bool) -> "Progress":
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console(),
        disable=quiet,
    )


def _bar(shown: "Progress", what: str, total: int) -> Callable[[], object]:
    task = shown.add_task(what, total=total)
    return lambda: shown.advance(task)
