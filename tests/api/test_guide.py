"""The pages of docs/guides are followed from the first command to the last, over the shipped fakes."""

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from graphs.state import Runtime
from tests.api.conftest import Listen
from tests.contracts.test_imports import ROOT
from tests.support.pages import ADDRESS, examples
from tests.support.preference_trainers import with_style

pytestmark = pytest.mark.services

PAGES = sorted((ROOT / "docs" / "guides").glob("*.md"))
BLOCK = re.compile(r"```(sh|python)\n(.*?)```", re.DOTALL)
SUCCEEDS_BY_FAILING = re.compile(r"^! (.+)$", re.MULTILINE)
# These stop reading early; what still writes into the pipe is then killed, and `pipefail` calls it a failure.
STOPS_READING = re.compile(r"\|\s*(grep (-\w*q|-\w*m\b)|head\b|sed \S*q)")
BIN = Path(sys.executable).parent
FOLLOW_SECONDS = 240


def script(page: Path, url: str) -> str:
    """Everything on the page as one script; what its Python examples print goes into files.

    `set -e` never ends on a line that starts with `!`, so such a line becomes an `if` that does.
    """
    lines = ["set -euo pipefail"]
    for number, (kind, code) in enumerate(BLOCK.findall(page.read_text())):
        code = code.replace(ADDRESS, url)
        code = SUCCEEDS_BY_FAILING.sub(r"if \1; then echo 'this should have failed' >&2; exit 1; fi", code)
        lines.append(code if kind == "sh" else f"python - > python-{number}.txt <<'PYTHON'\n{code}PYTHON\n")
    return "\n".join(lines)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
async def test_a_guide_can_be_followed_to_its_end(
    page: Path, listen: Listen, runtime: Runtime, tmp_path: Path
) -> None:
    async with listen(with_style(runtime), learning=True, max_document_bytes=100_000) as url:
        environment = os.environ | {
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "NIGHTSCHOOL_API_PORT": url.rpartition(":")[2],
            "NIGHTSCHOOL_HOME": str(tmp_path / "client"),
            # Of the service: keys and grants are made in the database itself.
            "NIGHTSCHOOL_DATABASE_URL": f"sqlite:///{tmp_path / 'nightschool.db'}",
            "COLUMNS": "200",
        }
        followed = await asyncio.to_thread(
            subprocess.run,
            ["bash", "-x", "-c", script(page, url)],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=FOLLOW_SECONDS,
            check=False,
        )
    assert followed.returncode == 0, followed.stdout[-3000:] + followed.stderr[-3000:]
    assert printed(tmp_path) == [expected for _, expected in examples(page)]


def printed(folder: Path) -> list[str]:
    """What the Python examples printed, in their order."""
    return [path.read_text() for path in sorted(folder.glob("python-*.txt"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_block_of_a_guide_is_followed(page: Path) -> None:
    text = page.read_text()
    assert text.count("```sh\n") + text.count("```python\n") == len(BLOCK.findall(text))
    assert len(examples(page)) == text.count("```python\n")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_no_pipe_of_a_guide_ends_in_what_stops_reading(page: Path) -> None:
    code = "\n".join(block for _, block in BLOCK.findall(page.read_text()))
    assert not STOPS_READING.search(code)
