"""Nothing that is logged reaches the terminal of who reads the log, or looks like another line."""

import logging

from agent.logs import CleanFormatter


def formatted(message: str, error: Exception | None = None) -> str:
    info = None if error is None else (type(error), error, None)
    record = logging.LogRecord("api", logging.ERROR, __file__, 1, "failed: %s", (message,), info)
    return CleanFormatter("%(name)s: %(message)s").format(record)


def test_a_message_has_no_control_characters_and_one_line() -> None:
    assert (
        formatted("\x1b[2J\x1b]0;owned\x07hello\nERROR api: forged")
        == "api: failed: hello\\nERROR api: forged"
    )


def test_a_traceback_keeps_its_lines_without_control_characters() -> None:
    text = formatted("x", ValueError("\x1b[31mred"))
    assert text.splitlines()[-1] == "ValueError: red"
    assert "\x1b" not in text
