"""Loads source code: signatures and docstrings of Python, comments and what they stand above elsewhere."""

import ast
import warnings
from collections.abc import Iterator
from pathlib import PurePosixPath

from memory.errors import IngestError, NothingToRead
from memory.ingest.loaders.base import Loaded, Source
from memory.ingest.loaders.charset import decode

LONGEST_SIGNATURE = 300
SHORTEST_COMMENT = 20
"""Characters; shorter comments, such as rulers and `TODO`, say nothing alone."""


def load_python(source: Source) -> Loaded:
    """A section for each module, class and function: signature and docstring. Raises IngestError."""
    text, charset = decode(source)
    try:
        with warnings.catch_warnings(action="ignore"):
            tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise IngestError(f"{source.name}: the Python code cannot be parsed ({error})") from error
    name = PurePosixPath(source.name).stem
    sections = [f"# {name}", ast.get_docstring(tree) or "", *_sections(tree)]
    if not any(sections[1:]):
        raise NothingToRead(
            f"{source.name}: the code has no functions, classes and docstrings, which are all that is read"
        )
    return Loaded(text="\n\n".join(filter(None, sections)), charset=charset)


def _sections(parent: ast.AST, prefix: str = "", depth: int = 0) -> Iterator[str]:
    for node in getattr(parent, "body", []):
        if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        name = f"{prefix}{node.name}"
        docstring = ast.get_docstring(node)
        if docstring or not node.name.startswith("_"):
            yield f"## {name}"
            yield f"```python\n{_signature(node)}\n```"
            yield docstring or ""
        if depth < 5:
            yield from _sections(node, f"{name}.", depth + 1)


def _signature(node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    if isinstance(node, ast.ClassDef):
        bases = ", ".join(map(ast.unparse, node.bases))
        return f"class {node.name}" + (f"({bases})" if bases else "")
    kind = "async def" if isinstance(node, ast.AsyncFunctionDef) else "def"
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    return f"{kind} {node.name}({ast.unparse(node.args)}){returns}"[:LONGEST_SIGNATURE]


def load_code(source: Source) -> Loaded:
    """The comments, each above the line of code that follows it. Raises IngestError."""
    from pygments.lexers import get_lexer_for_filename
    from pygments.token import Comment, String
    from pygments.util import ClassNotFound

    text, charset = decode(source)
    name = PurePosixPath(source.name.partition("?")[0]).name
    try:
        tokens = get_lexer_for_filename(name).get_tokens(text)
    except ClassNotFound as error:
        raise IngestError(f"{source.name}: no lexer for this language") from error
    comment: list[str] = []
    line = ""
    sections: list[str] = []
    for kind, value in tokens:
        is_comment = (kind in Comment and kind not in Comment.Preproc) or kind in String.Doc
        if is_comment and not line.strip():
            comment.append(value)
            continue
        line += value
        if "\n" not in line or not line.strip():
            line = "" if not line.strip() else line
            continue
        sections += _described(comment, line)
        comment, line = [], ""
    sections += _described(comment, "")
    if not sections:
        raise NothingToRead(f"{source.name}: the code has no comments, which are all that is read of it")
    return Loaded(text="\n\n".join([f"# {name}", *sections]), charset=charset)


def _described(comment: list[str], line: str) -> list[str]:
    """A comment without its marks, and the code below it."""
    lines = [each.strip().strip("/*#-;!<>").strip() for each in "".join(comment).splitlines()]
    text = "\n".join(lines).strip()
    if len(text) < SHORTEST_COMMENT:
        return []
    code = line.strip().rstrip("{").strip()[:LONGEST_SIGNATURE]
    return [text, *([f"```\n{code}\n```"] if code else [])]
