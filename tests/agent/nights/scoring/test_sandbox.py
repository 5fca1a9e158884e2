"""Code from answers runs in a sandbox: whatever it does is bounded, and reported."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from agent.nights.scoring.sandbox import CHILD, LONGEST_OUTPUT, LONGEST_SOURCE, run_python
from agent.nights.scoring.sandbox_child import UNAVAILABLE

pytestmark = pytest.mark.skipif(
    run_python("pass").status == "unavailable", reason="this machine lets no process make namespaces"
)


def test_what_code_prints_is_returned() -> None:
    ended = run_python("import math\nprint(math.factorial(5))")
    assert (ended.status, ended.output) == ("ran", "120\n")


@pytest.mark.parametrize(
    ("source", "status"),
    [
        ("while True: pass", "time"),
        ("import time\ntime.sleep(60)", "time"),
        ("x = [0] * 10**9", "memory"),
        ("x = 'a'\nwhile True: x += x", "memory"),
        ("import os\nwhile True: os.fork()", "incomplete"),
        ("import threading\nthreading.Thread(target=print).start()", "incomplete"),
        ("while True: print('spam')", "output"),
        ("import ctypes\nctypes.string_at(0)", "crashed"),
        ("def f(: pass", "syntax"),
        ("print('\0')", "syntax"),
        ("(" * 10_000, "syntax"),
        ("1 / 0", "raised"),
        ("raise SystemExit(3)", "raised"),
        ("raise SystemExit", "ran"),
        ("model.fit(data)", "incomplete"),
        ("import pandas", "incomplete"),
        ("input()", "incomplete"),
    ],
)
def test_code_ends_within_its_limits(source: str, status: str) -> None:
    ended = run_python(source, wall_seconds=4)
    assert ended.status == status
    assert ended.seconds < 8
    assert len(ended.output) <= LONGEST_OUTPUT


def test_code_cannot_reach_the_network() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        ended = run_python(
            "import _socket\ns = _socket.socket()\ns.settimeout(1)\n"
            f"s.connect(('127.0.0.1', {port}))\nprint('in')"
        )
    assert ended.status == "incomplete"
    assert "in\n" not in ended.output


def test_code_cannot_read_files(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hunter2")
    secret.chmod(0o644)
    for path in (secret, Path("/etc/passwd"), Path("/proc/self/environ"), Path("../../../etc/passwd")):
        ended = run_python(f"print(open({str(path)!r}).read())")
        assert ended.status == "incomplete"
        assert "hunter2" not in ended.output


def test_code_cannot_write_files(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    for path in (tmp_path / "made", Path("made"), Path("/tmp/made-by-an-answer")):
        assert run_python(f"print('x' * 9, file=open({str(path)!r}, 'w'))").status == "incomplete"
        assert not path.exists()


def test_code_sees_no_other_process_and_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NIGHTSCHOOL_SECRET", "hunter2")
    ended = run_python("import os\nprint(os.getpid(), os.getuid() != 0, 'NIGHTSCHOOL_SECRET' in os.environ)")
    assert ended.output == "1 True False\n"
    assert run_python("import os\nos.kill(-1, 9)").status == "incomplete"


def test_code_cannot_regain_its_privileges() -> None:
    assert run_python("import os\nos.setuid(0)").status == "incomplete"
    assert run_python("import os\nos.chroot('.')").status == "incomplete"


def test_examples_are_compared_with_what_they_print() -> None:
    assert run_python(">>> 1 + 1\n2\n").status == "ran"
    assert run_python(">>> 1 + 1\n3\n").status == "wrong"
    assert run_python(">>> frame.head()\n3\n").status == "incomplete"


def test_code_that_is_too_long_is_not_run() -> None:
    assert run_python("#" * (LONGEST_SOURCE + 1)).status == "incomplete"


def test_nothing_is_run_where_the_sandbox_cannot_be_set_up(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    child = tmp_path / "child.py"
    child.write_text("import os\nos._exit(16)\n")
    monkeypatch.setattr("agent.nights.scoring.sandbox.CHILD", child)
    assert run_python("print(1)").status == "unavailable"


def test_code_that_cannot_be_isolated_is_not_run_and_not_blamed(tmp_path: Path) -> None:
    command = [sys.executable, "-I", "-S", str(CHILD), str(tmp_path / "missing")]
    ended = subprocess.run(command, input=b"print(1)", capture_output=True, check=False)
    assert (ended.returncode, ended.stdout) == (UNAVAILABLE, b"")
