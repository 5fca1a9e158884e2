"""Loads reStructuredText: docutils makes HTML of it, without including files or running code."""

import html
import re
from typing import Any

from memory.errors import IngestError
from memory.ingest.loaders.base import Loaded, Source
from memory.ingest.loaders.charset import decode
from memory.ingest.loaders.html import check_html
from memory.ingest.loaders.office import markdown_of

SETTINGS: dict[str, Any] = {
    "file_insertion_enabled": False,
    "raw_enabled": False,
    "_disable_config": True,
    "report_level": 3,
    "warning_stream": False,
    "halt_level": 6,
    "initial_header_level": 1,
    "doctitle_xform": False,
    "syntax_highlight": "none",
    "math_output": "LaTeX",
    "embed_stylesheet": False,
    "stylesheet_path": None,
    "line_length_limit": 1_000_000,
}
_DIRECTIVE = re.compile(r"^([ \t]*)\.\. ([\w:+.-]{1,40})::[ \t]*(.*)$", re.MULTILINE)
_ROLE = re.compile(r":[\w:+.-]{1,40}:`([^`<\n]{1,300}?)(?: ?<[^`\n]{0,300}>)?`")
_PROBLEM = re.compile(r'<p class="system-message-title">.{0,400}?</p>\s*(?:<p>(.{0,400}?)</p>)?', re.DOTALL)
"""docutils' message about markup that it cannot read; the markup itself follows it."""
_LITERAL = re.compile(r'<span class="docutils literal">(.*?)</span>', re.DOTALL)


def load_rst(source: Source) -> Loaded:
    """The document as Markdown. Directives and roles of Sphinx keep their text. Raises IngestError."""
    from docutils.core import publish_parts
    from docutils.utils import DataError, SystemMessage

    text, charset = decode(source)
    text = _ROLE.sub(r"``\1``", _DIRECTIVE.sub(_known_directive, text.replace("\x00", " ")))
    try:
        parts = publish_parts(text, writer="html5", settings_overrides=SETTINGS)
    except (
        SystemMessage, DataError, ValueError, TypeError, AttributeError, RecursionError, AssertionError,
        LookupError, NotImplementedError,
    ) as error:  # fmt: skip
        # docutils raises almost any of these on malformed tables and directives.
        reason = f"{source.name}: the reStructuredText is malformed ({type(error).__name__}: {error})"
        raise IngestError(reason) from error
    body = _LITERAL.sub(r"<code>\1</code>", parts["html_body"])
    unread = tuple(f"{html.unescape(each)}"[:200] for each in _PROBLEM.findall(body)[:20])
    body = _PROBLEM.sub("", body)
    page = Source(source.name, f"<html><body>{body}</body></html>".encode("utf-8", "replace"))
    check_html(page)
    loaded = markdown_of(page, "text/html")
    return Loaded(text=loaded.text, charset=charset, unread=unread)


def _known_directive(match: re.Match[str]) -> str:
    """The directive, or, if docutils does not know it, its argument as code above its content."""
    from docutils.parsers.rst.languages.en import directives

    indent, name, argument = match.groups()
    if name in directives:
        return match[0]
    return f"{indent}``{argument.strip()}``" if argument.strip() and "`" not in argument else indent
