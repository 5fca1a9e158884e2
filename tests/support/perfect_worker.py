"""The training worker as it ships, with the perfect student for a trainer.

`python -m tests.support.perfect_worker` takes the worker's arguments, and writes its process id into the home
folder.
"""

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.faults.perfect_student import AdapterEngine, PerfectTrainer, base_script
from training import worker
from training.jobs import JobContext

PID = "worker.pid"
_open_context = worker.open_context


def perfect_context(*args: Any, **kwargs: Any) -> JobContext:
    """The worker's context with the perfect student."""
    context = _open_context(*args, **kwargs)
    script = base_script(context.base)
    return replace(
        context, train=PerfectTrainer(context.home / "outbox"), open_engine=lambda: AdapterEngine(script)
    )


def main() -> int:
    """Runs the worker."""

    def open_context(*args: Any, **kwargs: Any) -> JobContext:
        context = perfect_context(*args, **kwargs)
        (context.home / PID).write_text(str(os.getpid()))
        return context

    worker.open_context = open_context
    return worker.main(sys.argv[1:])


def process_id(home: Path) -> int:
    """Of the worker that started last in this home folder."""
    return int((home / PID).read_text())


if __name__ == "__main__":
    raise SystemExit(main())
