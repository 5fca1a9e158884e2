"""What the processes of the harness are: the api and the worker as they ship, and the engine's stand-in.

Each watches for the steps that `steps` may hold, and moves its clock by what the file `clock` in its control
folder says whenever it gets SIGUSR1. Because a pass makes hundreds of runs, three slow parts are exchanged:
the api's sentence model for hashed words, its processes that read documents for a thread, and the worker's
training for the perfect student's.
"""

import asyncio
import logging
import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.faults import steps


def preload() -> None:
    """Imports everything, and loads the language model, before any process is forked."""
    import dbos  # noqa: F401
    import lancedb  # noqa: F401
    import mlflow  # noqa: F401
    import time_machine  # noqa: F401

    import api.cli.main
    import api.serving  # noqa: F401
    import tests.faults.engine_server  # noqa: F401
    import training.worker  # noqa: F401
    from agent.privacy.scrubbing import Scrubber
    from memory.ingest.propositions.facts import extract_facts
    from tests.support.facts import rust

    Scrubber().warm()
    extract_facts([rust()[0]])


def api(_: Sequence[str]) -> int:
    """The api, with all its stores."""
    from agent import promotion
    from agent.chat.routing import Routes
    from agent.settings import read_settings
    from api import compose, serving
    from memory.adapters.mlflow import MlflowAdapterRegistry
    from memory.embedding.embedder import HashingEmbedder
    from memory.episodic.lance import LanceEpisodicMemory
    from memory.ingest.pipeline import Contents, read_in_thread
    from memory.ingest.readers import DocumentReaders
    from memory.semantic.falkor import FalkorSemanticMemory

    async def read(_: DocumentReaders, *document: Any) -> Contents:
        return await read_in_thread(*document)

    compose.SentenceEmbedder = HashingEmbedder  # type: ignore[misc,assignment]
    steps.watch_nodes(lambda node: node)
    DocumentReaders.read = read  # type: ignore[method-assign,assignment]
    steps.watch(DocumentReaders, "read", "ingest read")
    steps.watch(FalkorSemanticMemory, "add", "ingest add facts")
    steps.watch(LanceEpisodicMemory, "add", "ingest add passages")
    steps.watch(LanceEpisodicMemory, "remove", "ingest remove passages")
    steps.watch(FalkorSemanticMemory, "remove", "ingest remove facts")
    steps.watch(promotion, "load_with_canary", "promotion load")
    steps.watch(promotion, "check_canary", "promotion canary")
    steps.watch_blocking(MlflowAdapterRegistry, "promote", "promotion alias")
    steps.watch(Routes, "refresh", "promotion routes")
    _begin()
    serving.serve(read_settings())
    return 0


def worker(_: Sequence[str]) -> int:
    """The worker, whose trainer and model are the perfect student's."""
    from tests.faults.perfect_student import AdapterEngine, PerfectTrainer, base_script
    from training import worker as module
    from training.jobs import JobContext

    original = module.open_context

    def open_context(*args: object, **kwargs: object) -> JobContext:
        context = original(*args, **kwargs)  # type: ignore[arg-type]
        script = base_script(context.base)
        return replace(
            context,
            train=PerfectTrainer(context.home / "outbox"),
            open_engine=lambda: AdapterEngine(script),
        )

    module.open_context = open_context
    steps.watch_jobs()
    _begin()
    return module.main(["--quick"])


def engine(arguments: Sequence[str]) -> int:
    """The engine's stand-in, on the address and port given."""
    from aiohttp import web

    from tests.faults.engine_server import EngineServer
    from tests.faults.perfect_student import AdapterEngine, base_script
    from tests.support.tiny_model import FOLDER
    from training.base_model import open_base_model

    host, port = arguments
    server = EngineServer(AdapterEngine(base_script(open_base_model(FOLDER))), FOLDER)
    _begin()
    web.run_app(server.app(), host=host, port=int(port), print=None, handle_signals=False)
    return 0


ROLES: dict[str, Callable[[Sequence[str]], int]] = {"api": api, "worker": worker, "engine": engine}


def _begin() -> None:
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s: %(message)s")
    asyncio.set_event_loop(None)
    signal.signal(signal.SIGUSR1, lambda *_: _move_clock())


_clock: list[object] = []
"""The clock that is in force, if it was moved."""


def _move_clock() -> None:
    """Sets the clock of this process to the real time and the offset in the control folder, in seconds."""
    import time_machine

    while _clock:
        _clock.pop().stop()  # type: ignore[attr-defined]
    offset = float((Path(os.environ[steps.CONTROL]) / "clock").read_text())
    if offset:
        traveller = time_machine.travel(time.time() + offset, tick=True)
        traveller.start()
        _clock.append(traveller)
