"""A task of models whose study asks forever, and whose adding only says so: `agent.models.task` otherwise."""

import asyncio
import sys
import time
from types import SimpleNamespace
from typing import Any

from agent.errors import ModelRefused
from agent.models import task

PROCESS = "tests.support.model_task"


async def _study(name: str, store: object, work: object, progress: Any, **options: object) -> None:
    step = progress("asking it", 10)
    while name == "deaf":  # as a download that hangs
        try:
            time.sleep(60)  # noqa: ASYNC251
        except KeyboardInterrupt:
            continue
    while True:
        await asyncio.sleep(0.05)
        step()


def _add(model: str, store: object, catalogue: object, progress: Any, **options: object) -> SimpleNamespace:
    progress.say("downloading")
    if model == "bad/model":
        raise ModelRefused("bad/model has no chat template")
    return SimpleNamespace(name=options["name"] or model)


if __name__ == "__main__":
    modules: dict[str, Any] = {  # in place of the real ones, which import torch
        "agent.models.add_model": SimpleNamespace(add_model=_add),
        "agent.models.study.added": SimpleNamespace(study_added=_study),
    }
    sys.modules.update(modules)
    task.STOP_SECONDS = 5.0
    raise SystemExit(task.main())
