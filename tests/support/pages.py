"""How tests read the pages of docs: their examples, and what stands below each that it prints."""

import contextlib
import io
import re
from pathlib import Path

ADDRESS = "http://127.0.0.1:8000"
"""Where the pages say that the service is."""


def examples(page: Path) -> list[tuple[str, str]]:
    """The page's Python examples, each with its output."""
    found: list[tuple[str, str]] = re.findall(
        r"```python\n(.*?)```\n\n```\n(.*?)```", page.read_text(), re.DOTALL
    )
    return found


def printed(code: str) -> str:
    """What a script prints."""
    with contextlib.redirect_stdout(io.StringIO()) as output:
        exec(compile(code, "example", "exec"), {})
    return output.getvalue()
