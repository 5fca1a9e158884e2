"""The command `nightschool`: its commands and their exit codes.

0: done.
1: the service does not answer, or what was asked for failed.
2: bad input, a bad setting, or an extra of the package that is not installed.
"""

import sys

import typer

from api.cli import (
    ab,
    adapter_export,
    adapters,
    annotate,
    audit,
    backup,
    calibrate,
    chat,
    doctor,
    exchange,
    feedback,
    gaps,
    grants,
    growth,
    growth_plan,
    init,
    interactions,
    keys,
    learn,
    library,
    mcp,
    memory,
    models,
    night,
    perspectives,
    preferences,
    privacy,
    report,
    serve,
    skew,
    statements,
    study,
    travel,
    webhooks,
    week,
)
from memory.file_modes import keep_private

app = typer.Typer(
    name="nightschool",
    help="An LLM service that knows when it does not know, learns it, and proves that it learned.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command("init")(init.init)
app.command("up")(serve.up)
app.command("api")(serve.api)
app.command("worker")(serve.worker)
app.command("engine")(serve.engine)
app.command("graph")(serve.graph)
app.command("console")(serve.console_page)
app.command("doctor")(doctor.doctor)
app.command("ingest")(library.ingest)
app.command("chat")(chat.chat)
app.command("learn")(learn.learn)
app.command("runs")(learn.runs)
app.command("approve")(learn.approve)
app.command("reject")(learn.reject)
app.command("cancel")(learn.cancel)
app.command("history")(travel.history)
app.command("replay")(travel.replay)
app.command("fork")(travel.fork)
app.command("diff")(travel.diff)
app.command("calibrate")(calibrate.calibrate)
app.command("report")(report.report)
app.command("skew")(skew.skew)
app.command("week")(week.week)
app.command("mcp")(mcp.mcp)
app.command("feedback")(feedback.feedback)
models.app.command("study")(study.study)
models.app.command("grow")(growth.grow)
models.app.command("plan")(growth_plan.plan)
app.add_typer(models.app, name="models", help="Adopt base models and choose the one in use.")
app.add_typer(
    annotate.app,
    name="annotate",
    help="Sample chat turns, judge answer pairs, export and import preferences.",
)
app.add_typer(gaps.app, name="gaps", help="List gaps; dismiss, merge or delete one.")
app.add_typer(
    interactions.app, name="interactions", help="List logged chat turns; show one, export a period."
)
app.add_typer(
    preferences.app, name="preferences", help="Build preference sets from feedback; list, show, train them."
)
app.add_typer(
    night.app,
    name="night",
    help="Nights: the service goes over its day. Run, follow, stop, schedule, report.",
)
app.add_typer(
    statements.app, name="statements", help="List what users stated about themselves; forget what one stated."
)
app.add_typer(ab.app, name="ab", help="Start, watch, check and stop experiments (A/B tests).")
app.add_typer(audit.app, name="audit", help="List and verify who approved, promoted, forgot or granted what.")
app.add_typer(
    perspectives.app,
    name="perspectives",
    help="Viewpoints of documents: list, declare, weigh and suggest them.",
)
app.add_typer(grants.app, name="grants", help="Give owners of keys a domain, which closes it to others.")
memory.app.command("stats")(exchange.stats)
memory.app.command("show")(exchange.show)
memory.app.command("export")(exchange.export)
memory.app.command("import")(exchange.import_)
memory.app.command("backup")(backup.backup)
memory.app.command("restore")(backup.restore)
app.add_typer(
    memory.app,
    name="memory",
    help="Search, show and export the library; back up and restore everything; forget what is stored.",
)
app.add_typer(privacy.app, name="privacy", help="Show what was encrypted in place of personal data.")
app.add_typer(keys.app, name="keys", help="Make, list and revoke API keys.")
app.add_typer(webhooks.app, name="webhooks", help="Show the secret that verifies your webhooks.")
adapters.app.command("export")(adapter_export.export)
app.add_typer(
    adapters.app,
    name="adapters",
    help="List, show, promote, roll back and export adapters; forget a lesson.",
)


EXTRAS = {
    "api": (
        "fastapi",
        "uvicorn",
        "uvloop",
        "sse_starlette",
        "croniter",
        "starlette",
        "mcp",
        "prometheus_client",
    ),
    "worker": ("torch", "transformers", "peft", "trl", "datasets", "accelerate", "gguf", "matplotlib"),
    "console": ("gradio",),
    "cpu": ("vllm",),
}
"""Extras of the package that bring a library."""


def main() -> None:
    """Runs the command that the process was started with."""
    keep_private()
    try:
        app()
    except ModuleNotFoundError as error:
        library = (error.name or "").partition(".")[0]
        extra = next((extra for extra, names in EXTRAS.items() if library in names), None)
        if extra is None:
            raise
        print(f"nightschool: this needs {library}: run `pip install 'nightschool[{extra}]'`", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
