"""A task of models whose study asks forever, and whose adding only says so: `agent.models.task` otherwise."""

import asyncio
from types import SimpleNamespace
from typing import Any

from agent.errors import ModelRefused
from agent.models import task

PROCESS = "tests.support.model_task"


async def _study(name: str, store: object, work: object, progress: Any, **options: object) -> None:
    step = progress("asking it", 10)
    while name != "quick":
        await asyncio.sleep(0.05)
        step()


def _add(model: str, store: object, catalogue: object, progress: Any, **options: object) -> SimpleNamespace:
    progress.say("downloading")
    if model == "bad/model":
        raise ModelRefused("bad/model has no chat template")
    return SimpleNamespace(name=options["name"] or model)


if __name__ == "__main__":
    task.study_added, task.add_model = _study, _add  # type: ignore[assignment]
    raise SystemExit(task.main())
