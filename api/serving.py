"""The api process: opens the service, serves the app with uvicorn, and closes the service."""

import asyncio
import gc
import signal
from contextlib import nullcontext

import uvicorn
import uvloop

from agent.settings import Settings
from api.app import create_app
from api.compose import Graphs, open_service, shipped_graphs
from api.connections import with_limit


def serve(settings: Settings, graphs: Graphs = shipped_graphs) -> None:
    """Serves until SIGINT or SIGTERM. Raises the same as `open_service`.

    The service is not opened in the app's lifespan, because uvicorn would turn its errors into a traceback
    and an exit status of its own.
    """
    uvloop.run(_serve(settings, graphs))


async def _serve(settings: Settings, graphs: Graphs) -> None:
    async with open_service(settings, graphs) as service:
        server = uvicorn.Server(
            uvicorn.Config(
                create_app(settings, opener=lambda _: nullcontext(service)),
                host=settings.api_host,
                port=settings.api_port,
                http=with_limit(settings.api_connections),
                ws="none",
                log_level=settings.log_level,
                log_config=None,  # its lines go through the process's log, see `agent.logs`
                access_log=settings.log_level == "debug",
                timeout_graceful_shutdown=2,
            )
        )
        for number in (signal.SIGINT, signal.SIGTERM):
            # uvicorn raises the signal again after it has stopped, but the stores still have to be closed.
            asyncio.get_running_loop().add_signal_handler(number, lambda: None)
        gc.collect()
        gc.freeze()  # the libraries' objects stay, so the collector need not scan them again
        await server.serve()
