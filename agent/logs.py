"""The log of a process: one line a message, without control characters, or one JSON object a line.

Questions, titles and errors of other programs are logged, and whoever wrote them must not reach the terminal
of who reads the log, or write lines of their own.
"""

import json
import logging
import os
import sys
import time
from collections.abc import Callable
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Literal, TextIO

from memory.language.control_characters import clean

LogFormat = Literal["text", "json"]

REQUEST_ID: ContextVar[str | None] = ContextVar("request_id", default=None)
"""Id of the HTTP request that is worked on; runs that a request starts inherit it."""
RUN_ID: ContextVar[str | None] = ContextVar("run_id", default=None)
"""Id of the run, or of the learn run of the training job, that is worked on."""
DBOS = "dbos"
"""Logger of a library that sets its own level, and logs in its own form unless it has a handler already."""


class CleanFormatter(logging.Formatter):
    """Formats records without control characters; only a traceback has further lines."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name is logging's
        return clean(super().formatMessage(record)).replace("\n", "\\n")

    def formatException(self, ei: object) -> str:  # noqa: N802
        return clean(super().formatException(ei))  # type: ignore[arg-type]  # logging's private type


class JsonFormatter(logging.Formatter):
    """Formats records as JSON objects in ASCII, with the ids of the request and run that they belong to."""

    def format(self, record: logging.LogRecord) -> str:
        line = _line(record.created, record.levelname.lower(), record.name, record.getMessage())
        if record.exc_info:
            line["exception"] = clean(self.formatException(record.exc_info))
        return json.dumps(line)


class StderrHandler(logging.StreamHandler[TextIO]):
    """Writes to what is stderr now, which tests exchange."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        """Stderr."""
        return sys.stderr


def start_logging(level: str, form: str, log_format: LogFormat = "text") -> None:
    """Logs to stderr from this level on: as JSON, or as text in this form of logging's `%` style."""
    formatter = JsonFormatter() if log_format == "json" else CleanFormatter(form)
    handler, errors_only = StderrHandler(), StderrHandler()
    errors_only.setLevel(logging.ERROR)
    for each in (handler, errors_only):
        each.setFormatter(formatter)
    logging.basicConfig(level=level.upper(), handlers=[handler])
    logging.getLogger(DBOS).addHandler(errors_only)
    logging.getLogger(DBOS).propagate = False
    os.environ.setdefault("MLFLOW_CONFIGURE_LOGGING", "false")  # else it has a form of its own


def printer(name: str, log_format: LogFormat) -> Callable[[str], None]:
    """A function that prints a line to stdout whatever the level of the log, such as that a process is ready.

    As JSON it is a line of the log, of this logger.
    """

    def say(line: str) -> None:
        text = clean(line)
        if log_format == "json":
            text = json.dumps(_line(time.time(), "info", name, text))
        print(text, file=sys.stdout, flush=True)

    return say


def _line(created: float, level: str, logger: str, message: str) -> dict[str, str]:
    line = {
        "time": datetime.fromtimestamp(created, UTC).isoformat(timespec="milliseconds"),
        "level": level,
        "logger": logger,
        "message": clean(message),
    }
    ids = {"request_id": REQUEST_ID.get(), "run_id": RUN_ID.get()}
    return line | {name: value for name, value in ids.items() if value is not None}
