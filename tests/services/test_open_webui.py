"""Open WebUI in front of the service, as people set it up: in a browser, with its own prompts and tools.

It runs where `open-webui` is on the path, from an environment of its own: `pip install open-webui`.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from examples.demo import free_ports
from tests.api.console.conftest import CHROMIUM
from tests.support.models import default_model
from tests.support.stack import Stack, stack

OPEN_WEBUI = shutil.which("open-webui")
READY_SECONDS = 300
ANSWER_MS = 120_000
pytestmark = [
    pytest.mark.services,
    pytest.mark.timeout(900),
    pytest.mark.skipif(OPEN_WEBUI is None, reason="open-webui is not installed: pip install open-webui"),
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"{CHROMIUM} is not installed"),
]
FERRY = "# Island ferries\n\nThe ferry to Brimsay leaves the north pier at 8:30 every day except Sunday.\n"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    home = tmp_path_factory.mktemp("behind") / "home"
    with stack(home, NIGHTSCHOOL_MODEL=str(default_model().folder)) as running:
        reply = httpx.post(
            f"{running.url}/v1/documents",
            params={"source": "ferries.md"},
            content=FERRY,
            headers={"content-type": "text/markdown"},
            timeout=120,
        )
        assert reply.is_success, reply.text
        yield running


@pytest.fixture(scope="module")
def url(service: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Open WebUI's address; its settings are those of docs/chat-pages.md."""
    folder, (port,) = tmp_path_factory.mktemp("open-webui"), free_ports(1)
    environment = os.environ | {
        "DATA_DIR": str(folder),
        "WEBUI_AUTH": "false",
        "WEBUI_SECRET_KEY": "test",
        "OFFLINE_MODE": "true",
        "ENABLE_OLLAMA_API": "false",
        "OPENAI_API_BASE_URL": f"{service.url}/v1",
        "OPENAI_API_KEY": "none",
        "RAG_EMBEDDING_ENGINE": "openai",
        "RAG_EMBEDDING_MODEL": "all-minilm-l6-v2",
        "RAG_OPENAI_API_BASE_URL": f"{service.url}/v1",
        "RAG_OPENAI_API_KEY": "none",
    }
    command = [str(OPEN_WEBUI), "serve", "--host", "127.0.0.1", "--port", str(port)]
    log = folder / "log"
    with (
        log.open("wb") as out,
        subprocess.Popen(command, cwd=folder, env=environment, stdout=out, stderr=out) as process,
    ):
        address = f"http://127.0.0.1:{port}"
        try:
            _await_ready(address, process, log)
            yield address
        finally:
            process.terminate()


def _await_ready(address: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while True:
        try:
            if httpx.get(f"{address}/health").is_success:
                return
        except httpx.HTTPError:
            pass
        assert process.poll() is None, log.read_text(errors="replace")[-3000:]
        assert time.monotonic() < deadline, log.read_text(errors="replace")[-3000:]
        time.sleep(0.5)


@pytest.fixture
def page(url: str) -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        opened = browser.new_page()
        opened.goto(url, timeout=ANSWER_MS)
        opened.add_locator_handler(opened.get_by_text("Okay, Let's Go!"), lambda news: news.click())
        yield opened
        browser.close()


def test_a_person_asks_in_open_webui_and_reads_the_sentence_of_a_document(page: Any, service: Stack) -> None:
    box = page.locator("#chat-input")
    box.click(timeout=ANSWER_MS)
    for question, answer in (
        ("When does the ferry to Brimsay leave?", "leaves the north pier at 8:30"),
        ("What is a zorble?", "I don't know, and I found no source about it."),
    ):
        box.click()
        page.keyboard.type(question)
        page.keyboard.press("Enter")
        page.get_by_text(answer).last.wait_for(timeout=ANSWER_MS)
    gaps = httpx.get(f"{service.url}/v1/gaps").json()
    assert [gap["question"] for gap in gaps] == ["What is a zorble?"], "its own prompts open none"
