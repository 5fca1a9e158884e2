"""Nothing that is logged reaches the terminal of who reads the log, or looks like another line."""

import json
import logging
import subprocess
import sys
from contextvars import copy_context

import pytest

from agent.logs import REQUEST_ID, RUN_ID, CleanFormatter, JsonFormatter, printer


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


def as_json(message: str, error: Exception | None = None) -> dict[str, str]:
    info = None if error is None else (type(error), error, None)
    record = logging.LogRecord("api", logging.ERROR, __file__, 1, "failed: %s", (message,), info)
    line = JsonFormatter().format(record)
    assert "\n" not in line
    assert line.isascii()
    parsed: dict[str, str] = json.loads(line)
    return parsed


def test_a_json_line_is_one_object_with_the_ids_of_request_and_run() -> None:
    def logged() -> dict[str, str]:
        REQUEST_ID.set("request-1")
        RUN_ID.set("run-1")
        return as_json('\x1b[2Jhello\n{"level": "forged"}', ValueError("\x1b[31mred"))

    line = copy_context().run(logged)
    assert line["message"] == 'failed: hello\n{"level": "forged"}'
    assert line["level"] == "error"
    assert (line["request_id"], line["run_id"]) == ("request-1", "run-1")
    assert "ValueError: red" in line["exception"]
    assert "request_id" not in as_json("outside of a request")


def test_what_a_process_says_whatever_the_level_is_of_the_same_form(
    capsys: pytest.CaptureFixture[str],
) -> None:
    printer("training.worker", "text")("\x1b[2Jready: worker")
    printer("training.worker", "json")("ready: worker")
    text, line = capsys.readouterr().out.splitlines()
    assert text == "ready: worker"
    assert json.loads(line)["message"] == "ready: worker"
    assert json.loads(line)["logger"] == "training.worker"


@pytest.mark.slow
def test_libraries_with_handlers_of_their_own_log_in_the_same_form() -> None:
    code = (
        "import logging\n"
        "from agent.logs import start_logging\n"
        "start_logging('info', '%(message)s', 'json')\n"
        "import dbos, mlflow\n"
        "for name in ('api', 'mlflow.store.db.utils'):\n"
        "    logging.getLogger(name).info('hello')\n"
        "logging.getLogger('dbos').error('hello')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [line["logger"] for line in lines] == ["api", "mlflow.store.db.utils", "dbos"]
