"""Fixtures of the console's tests: the api over the shipped fakes, the console beside it, and Chromium."""

import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from agent.settings import Settings
from api.console_proxy import console_socket
from memory import unix_sockets
from tests.api.conftest import Listen

CHROMIUM = Path("/usr/bin/chromium")
WIDE, NARROW = (1100, 900), (360, 740)


@dataclass
class Browsed:
    """The console in a browser, and what the browser did."""

    page: Any
    url: str
    requests: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    async def ask(self, question: str) -> None:
        """Asks on the chat page, and waits for what the page says about the answer."""
        await self.page.get_by_label("Question").fill(question)
        await self.page.get_by_role("button", name="Ask", exact=True).click()
        await self.page.get_by_text("answered by", exact=True).wait_for()

    async def use_key(self, key: str) -> None:
        """Enters an API key."""
        await self.page.get_by_label("API key").fill(key)
        await self.page.get_by_role("button", name="Use this key").click()

    async def open_tab(self, name: str) -> None:
        """Opens a part of the console."""
        await self.page.get_by_role("tab", name=name, exact=True).click()


Browse = Callable[..., AbstractAsyncContextManager[Browsed]]


@dataclass
class Console:
    """A running console, which asks the api at `api_url`."""

    socket: Path
    api_url: str = ""


@pytest.fixture(scope="session")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """The console in a thread, one for all tests: making its pages takes a second or more."""
    pytest.importorskip("gradio", reason="the extra `console` is not installed")
    from api.console.__main__ import listening
    from api.console.app import create_app

    running = Console(unix_sockets.make_folder(tmp_path_factory.mktemp("console"), "console.sock"))
    app = create_app(lambda: running.api_url)
    server = uvicorn.Server(uvicorn.Config(app, ws="none", log_level="warning", timeout_graceful_shutdown=1))
    with listening(running.socket) as door:
        serving = threading.Thread(target=server.run, kwargs={"sockets": [door]}, daemon=True)
        serving.start()
        while not server.started:
            assert serving.is_alive(), "the console did not start"
            time.sleep(0.05)
        yield running
        server.should_exit = True
        serving.join(10)


@pytest.fixture
def browse(listen: Listen, home: Path, request: pytest.FixtureRequest) -> Browse:
    """Serves the api and the console, and opens /ui in Chromium."""
    if not CHROMIUM.exists():
        pytest.skip(f"{CHROMIUM} is not installed: apt-get install chromium")
    console: Console = request.getfixturevalue("console")
    playwright = pytest.importorskip("playwright.async_api")
    socket = console_socket(Settings(home=home))
    unix_sockets.make_folder(socket.parent, socket.name)
    socket.symlink_to(console.socket)

    @asynccontextmanager
    async def browsing(
        *runtime: Any, size: tuple[int, int] = WIDE, scheme: str = "light", **changed: Any
    ) -> AsyncIterator[Browsed]:
        async with (
            listen(*runtime, **{"learning": True, **changed}) as url,
            playwright.async_playwright() as started,
        ):
            console.api_url = url
            browser = await started.chromium.launch(
                executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-background-networking"]
            )
            context = await browser.new_context(
                viewport={"width": size[0], "height": size[1]}, color_scheme=scheme
            )
            page = await context.new_page()
            page.set_default_timeout(60_000)
            opened = Browsed(page, url)
            page.on("request", lambda request: opened.requests.append(request.url))
            page.on("dialog", lambda dialog: opened.dialogs.append(dialog.message))
            page.on("console", lambda message: opened.complaints.append(message.text))
            await page.goto(f"{url}/ui")
            await page.get_by_text("You are").or_(page.get_by_label("API key")).first.wait_for()
            yield opened
            await browser.close()

    return browsing
