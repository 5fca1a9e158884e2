"""House rules that a machine can check: docstrings, file lengths, and who reads the environment."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.contracts.test_imports import PACKAGES, ROOT, nodes, sources

LONGEST = 450
READS_ENVIRONMENT = {"agent/settings.py"}
OPENS_REGISTRY = {"agent/registry.py", "api/supervisor/separation.py"}
"""The latter makes the file of the default, with the owner and mode that the processes need."""


def test_every_module_says_what_it_is() -> None:
    modules = [path for path in sources(*PACKAGES) if path.read_text().strip()]
    assert [_name(path) for path in modules if not docstring(path)] == []


def test_files_stay_short() -> None:
    lengths = {_name(path): len(path.read_text().splitlines()) for path in sources(*PACKAGES)}
    assert {n: lines for n, lines in lengths.items() if lines > LONGEST} == {}


def test_only_the_settings_read_the_environment() -> None:
    readers = [
        place
        for path in sources(*PACKAGES)
        if _name(path) not in READS_ENVIRONMENT
        for place in _environment_reads(path)
    ]
    assert readers == []


def test_every_process_opens_the_adapter_registry_where_the_setting_says() -> None:
    openers = {
        _name(path)
        for path in sources("agent", "api", "graphs", "training")
        for node in nodes(path)
        if isinstance(node, ast.Call) and _opens_registry(node)
    }
    assert openers == OPENS_REGISTRY


def docstring(path: Path) -> str | None:
    module = nodes(path)[0]
    assert isinstance(module, ast.Module)
    return ast.get_docstring(module)


def _opens_registry(call: ast.Call) -> bool:
    """Whether it is `MlflowAdapterRegistry(...)`, or puts that off by `partial`."""
    called = [call.func, *call.args[:1]]
    return any(isinstance(each, ast.Name) and each.id == "MlflowAdapterRegistry" for each in called)


def _environment_reads(path: Path) -> Iterator[str]:
    for node in nodes(path):
        reads = (
            (isinstance(node, ast.Attribute) and node.attr == "getenv")
            or (
                isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load) and _is_environ(node.value)
            )
            or (
                isinstance(node, ast.Attribute)
                and node.attr in ("get", "pop", "items", "copy")
                and _is_environ(node.value)
            )
        )
        if reads:
            yield f"{_name(path)}:{getattr(node, 'lineno', 0)}"


def _is_environ(node: ast.expr) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == "environ"


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))
