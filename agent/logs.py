"""The log of a process: one line a message, without control characters.

Questions, titles and errors of other programs are logged, and whoever wrote them must not reach the terminal
of who reads the log, or write lines of their own.
"""

import logging

from memory.language.control_characters import clean


class CleanFormatter(logging.Formatter):
    """Formats records without control characters; only a traceback has further lines."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name is logging's
        return clean(super().formatMessage(record)).replace("\n", "\\n")

    def formatException(self, ei: object) -> str:  # noqa: N802
        return clean(super().formatException(ei))  # type: ignore[arg-type]  # logging's private type


def start_logging(level: str, form: str) -> None:
    """Logs to stderr from this level on, in this form of logging's `%` style."""
    handler = logging.StreamHandler()
    handler.setFormatter(CleanFormatter(form))
    logging.basicConfig(level=level.upper(), handlers=[handler])
