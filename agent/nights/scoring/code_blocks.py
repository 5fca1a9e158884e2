"""Checks the code blocks of an answer: Python runs in the sandbox, JSON and TOML are parsed."""

import json
import re
import tomllib
from collections.abc import Callable, Mapping

from agent.nights.scoring.sandbox import RunStatus, SandboxRun, run_python
from memory.records.base import Record

MAX_BLOCKS = 3
"""Blocks that are checked; each may take seconds."""
LONGEST_BLOCK = 20_000

_BLOCK = re.compile(
    r"^[ ]{0,3}(```|~~~)[ ]*(?P<language>[\w+-]*)[^\n]*\n(?P<code>.*?)^[ ]{0,3}\1", re.M | re.S
)
_FAILURES: Mapping[RunStatus, str] = {
    "syntax": "the Python code has a syntax error",
    "raised": "the Python code raises an error",
    "wrong": "an example of the Python code prints something else than it says",
    "memory": "the Python code needs too much memory",
    "time": "the Python code does not end",
    "output": "the Python code prints without end",
    "crashed": "the Python code crashes",
}
"""What each status says against an answer; `ran` says nothing against it, and the others nothing at all."""


class BlockCheck(Record):
    """Whether a code block of the answer works, and what is wrong with it if not."""

    works: bool
    problem: str = ""


def code_blocks(text: str) -> tuple[tuple[str, str], ...]:
    """The fenced blocks of the text: language in lower case, and code."""
    return tuple((match["language"].lower(), match["code"]) for match in _BLOCK.finditer(text))


def check_blocks(text: str, run: Callable[[str], SandboxRun] = run_python) -> tuple[BlockCheck, ...]:
    """A check of each of the first blocks that can be judged. Blocks while code runs."""
    checks = (_check(language, code, run) for language, code in code_blocks(text)[:MAX_BLOCKS])
    return tuple(check for check in checks if check is not None)


def _check(language: str, code: str, run: Callable[[str], SandboxRun]) -> BlockCheck | None:
    if len(code) > LONGEST_BLOCK:
        return None
    if language in ("python", "py", "python3", "pycon"):
        ended = run(code)
        if ended.status == "ran":
            return BlockCheck(works=True)
        problem = _FAILURES.get(ended.status)
        last = ended.output.strip().splitlines()[-1:] or [""]
        detail = f": {last[0][:120]}" if ended.status in ("syntax", "raised") and last[0] else ""
        return None if problem is None else BlockCheck(works=False, problem=problem + detail)
    if language in ("json", "toml"):
        try:
            json.loads(code) if language == "json" else tomllib.loads(code)
        except (ValueError, RecursionError) as error:
            return BlockCheck(works=False, problem=f"the {language.upper()} cannot be read: {error}"[:200])
        return BlockCheck(works=True)
    return None
