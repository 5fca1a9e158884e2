"""Writes the pages that are made from the code: `make docs`.

ARCHITECTURE.md lists the modules below its mark; docs/reference holds settings, commands and endpoints. The
coefficients of `nightschool models plan` are copied from docs/results, so that the package holds them.
"""

import ast
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import typer
from fastapi import FastAPI
from fastapi.routing import APIRoute

from agent.growth.plan import RESULTS, SHIPPED, Shipped, read_coefficients
from agent.settings import PREFIX, Settings
from agent.settings_file import type_text
from api.app import ROUTES, create_app
from api.auth import ScopeCheck
from api.cli.main import app as commands
from api.metrics import catalogue

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("memory", "agent", "graphs", "training", "api", "benchmarks")
MAP = Path("ARCHITECTURE.md")
MARK = "<!-- Below: made by `make docs` from the first line of each module. -->\n"
WRITTEN_BY = "Made by `make docs` from the code; a test compares them.\n"
TITLES = {
    "v1/chat": "OpenAI",
    "v1/completions": "OpenAI",
    "v1/responses": "OpenAI",
    "v1/models": "OpenAI",
    "v1/embeddings": "OpenAI",
    "v1": "Nightschool",
    "healthz": "Health",
    "readyz": "Health",
    "ok": "Health",
    "info": "Health",
    "metrics": "Health",
}
"""Headings by how a path begins; the other paths are LangGraph's."""


def pages() -> Mapping[Path, str]:
    """All generated text, by the path below the repository."""
    return {
        MAP: architecture((ROOT / MAP).read_text(encoding="utf-8")),
        Path("docs/reference/settings.md"): settings_page(),
        Path("docs/reference/commands.md"): commands_page(),
        Path("docs/reference/endpoints.md"): endpoints_page(),
        Path("docs/reference/metrics.md"): metrics_page(),
        SHIPPED.relative_to(ROOT): Shipped(coefficients=read_coefficients(RESULTS)).model_dump_json(indent=1)
        + "\n",
    }


def architecture(page: str) -> str:
    """The page with its list of modules made anew; what stands above the mark stays."""
    written, _, _ = page.partition(MARK)
    lines = []
    for package in PACKAGES:
        for folder in sorted({path.parent for path in (ROOT / package).rglob("*.py")}):
            name = folder.relative_to(ROOT)
            about = first_line(folder / "__init__.py")
            lines.append(f"\n## {name}\n\n" + (f"{about}\n\n" if about else ""))
            lines += [
                f"- [{path.name}]({name / path.name}): {first_line(path)}\n"
                for path in sorted(folder.glob("*.py"))
                if path.name != "__init__.py"
            ]
    return written + MARK + "".join(lines)


def first_line(module: Path) -> str:
    """The first line of a module's docstring; empty where there is none."""
    if not module.is_file():
        return ""
    documented = ast.get_docstring(ast.parse(module.read_text(encoding="utf-8"))) or ""
    return documented.partition("\n")[0]


def settings_page() -> str:
    """Every setting with its type, default and meaning."""
    rows = []
    for name, field in Settings.model_fields.items():
        default = "" if field.default in (None, "") else f"`{_plain(field.default)}`"
        rows.append(
            (f"`{PREFIX}{name.upper()}`", type_text(field.annotation), default, field.description or "")
        )
    head = (
        "Read by every process from the environment, and from the settings file that `nightschool init`"
        " writes, for what the environment does not set. All have defaults that work offline.\n"
    )
    return f"# Settings\n\n{WRITTEN_BY}{head}\n" + _table(("setting", "type", "default", "meaning"), rows)


def metrics_page() -> str:
    """Every metric with its kind, labels and meaning."""
    head = (
        "`GET /metrics` serves them to keys of scope `metrics` or `admin`"
        " ([operating](../operating.md#metrics)), beside the standard `process_` metrics.\n"
    )
    tables = [
        f"\n## {title}\n\n{text}\n\n{_table(('metric', 'kind', 'labels', 'meaning'), _metric_rows(metrics))}"
        for title, text, metrics in (
            (
                "Counted",
                "Each api process counts on its own, from its start: add them up.",
                catalogue.COUNTED,
            ),
            (
                "Read",
                "Read from the stores. All api processes report the same: take the largest. Only"
                " `nightschool_part_ready` and the time of reading are of the process itself. A metric whose"
                " store does not answer is absent.",
                catalogue.READ,
            ),
        )
    ]
    return f"# Metrics\n\n{WRITTEN_BY}{head}" + "".join(tables)


def _metric_rows(metrics: Sequence[catalogue.Metric]) -> list[tuple[str, str, str, str]]:
    return [
        (f"`{each.name}`", each.kind, ", ".join(f"`{label}`" for label in each.labels), each.meaning)
        for each in metrics
    ]


def commands_page() -> str:
    """Every command with its arguments and options."""
    head = (
        "Exit codes: 0 done; 1 the service does not answer, or what was asked for failed; 2 bad input, a bad"
        " setting, or an extra of the package that is not installed.\n"
        "Commands find the running service by `service.json` in the home folder, unless"
        " `NIGHTSCHOOL_API_HOST` or `NIGHTSCHOOL_API_PORT` is set."
        " `nightschool --install-completion` sets up shell completion.\n"
    )
    root = typer.main.get_command(commands)
    return f"# Commands\n\n{WRITTEN_BY}{head}" + "".join(_command(root, "nightschool"))


def endpoints_page() -> str:
    """Every endpoint with what it does and the scope that its key needs."""
    app = create_app(Settings())
    scopes = dict(_scopes(app))
    groups: dict[str, list[tuple[str, str, str]]] = {}
    for path, methods in app.openapi()["paths"].items():
        for method, operation in methods.items():
            name = f"{method.upper()} {path}"
            row = (f"`{name}`", _paragraph(operation["description"]), scopes.get(name, ""))
            groups.setdefault(_heading(path), []).append(row)
    head = (
        "The running service shows them with their fields at `/docs`. A key of scope `learn` covers `chat`"
        " too, and `admin` covers all; a service without keys requires none ([security](../security.md)).\n"
        "`POST /mcp` is the MCP server, whose tools are some of these endpoints ([MCP](../guides/mcp.md)).\n"
    )
    parts = [
        f"\n## {heading}\n\n{_table(('endpoint', 'does', 'scope'), rows)}" for heading, rows in groups.items()
    ]
    return f"# Endpoints\n\n{WRITTEN_BY}{head}" + "".join(parts)


def _command(command: Any, name: str) -> Iterator[str]:
    inner = getattr(command, "commands", {})
    if not inner or getattr(command, "invoke_without_command", False):
        arguments = [p for p in command.params if p.param_type_name == "argument"]
        options = [p for p in command.params if p.param_type_name == "option" and p.name != "help"]
        usage = " ".join([name, *(_metavar(argument) for argument in arguments)])
        yield f"\n## `{usage}`\n\n{_text(command.help)}\n"
        rows = [(f"`{_metavar(p)}`", "", _text(p.help)) for p in arguments]
        rows += [(f"`{', '.join(p.opts)}`", _default(p), _text(p.help)) for p in options if not p.hidden]
        if rows:
            yield "\n" + _table(("argument or option", "default", "meaning"), rows)
    for key, sub in inner.items():
        yield from _command(sub, f"{name} {key}")


def _metavar(argument: Any) -> str:
    text = str(argument.metavar or argument.name.upper())
    return text if argument.required else f"[{text}]"


def _default(option: Any) -> str:
    if option.default in (None, "", False) or callable(option.default):
        return ""
    return f"`{option.default}`"


def _scopes(app: FastAPI) -> Iterator[tuple[str, str]]:
    for scope, parts in ROUTES.items():
        for part in parts:
            for route in part.router.routes:
                if isinstance(route, APIRoute):
                    checks = [each.dependency for each in route.dependencies]
                    own = [each.scope for each in checks if isinstance(each, ScopeCheck)]
                    for method in route.methods:
                        yield f"{method} {route.path}", (own or [scope])[-1]


def _heading(path: str) -> str:
    parts = path.strip("/").split("/")
    return TITLES.get("/".join(parts[:2])) or TITLES.get(parts[0]) or "LangGraph"


def _plain(value: Any) -> str:
    return str(value.get_secret_value() if hasattr(value, "get_secret_value") else value)


def _paragraph(text: str) -> str:
    return _text(text.split("\n\n")[0])


def _text(text: str | None) -> str:
    return " ".join((text or "").split())


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"

    return line(columns) + "|" + "---|" * len(columns) + "\n" + "".join(line(row) for row in rows)


def main() -> None:
    """Writes the pages that differ, and names them."""
    for path, text in pages().items():
        target = ROOT / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.is_file() or target.read_text(encoding="utf-8") != text:
            target.write_text(text, encoding="utf-8")
            print(f"{path} was written", file=sys.stderr)


if __name__ == "__main__":
    main()
