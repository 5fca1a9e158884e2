"""Serves the app: an event loop, uvicorn, and the service opened before and closed after it.

What is served is in `app`, what it works with in `compose`.
"""

import asyncio
import gc
import signal
from contextlib import nullcontext

import uvicorn
import uvloop

from agent.settings import Settings
from api.app import create_app
from api.compose import Graphs, open_service, shipped


def serve(settings: Settings, graphs: Graphs = shipped) -> None:
    """Serves until a signal. Raises what keeps the service from opening.

    It is not opened in the app's lifespan, where uvicorn turns any failure into a traceback and an exit
    status of its own.
    """
    uvloop.run(_serve(settings, graphs))


async def _serve(settings: Settings, graphs: Graphs) -> None:
    async with open_service(settings, graphs) as service:
        server = uvicorn.Server(
            uvicorn.Config(
                create_app(settings, opener=lambda _: nullcontext(service)),
                host=settings.api_host,
                port=settings.api_port,
                log_level=settings.log_level,
                access_log=settings.log_level == "debug",
                timeout_graceful_shutdown=2,
            )
        )
        for number in (signal.SIGINT, signal.SIGTERM):
            # uvicorn raises the signal that stopped it once more, but the stores have yet to be closed.
            asyncio.get_running_loop().add_signal_handler(number, lambda: None)
        gc.collect()
        gc.freeze()  # what the libraries brought along stays; to look through it again and again costs much
        await server.serve()
