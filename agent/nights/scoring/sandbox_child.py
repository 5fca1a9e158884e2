"""The sandbox's child process: gives up files, network and privileges, then runs the code from its input.

Imports nothing of ours, because it runs as a plain script. Its exit codes are STATUSES.
"""

import ctypes
import importlib
import os
import resource
import signal
import sys
from types import TracebackType
from typing import Any, Literal

STATUSES: dict[
    int, Literal["ran", "syntax", "raised", "wrong", "incomplete", "memory", "time", "unavailable"]
] = {
    0: "ran",
    10: "syntax",
    11: "raised",
    12: "wrong",
    13: "incomplete",
    14: "memory",
    15: "time",
    16: "unavailable",
}
SYNTAX, RAISED, WRONG, INCOMPLETE, MEMORY, TIME, UNAVAILABLE = range(10, 17)
CRASHED = 99

CPU_SECONDS = 2
MEMORY_BYTES = 256 * 2**20
OPEN_FILES = 16
NOBODY = 65_533
"""A user id that owns nothing; `nobody` (65534) owns processes on some machines."""
MODULES = (
    *("abc", "array", "base64", "bisect", "calendar", "cmath", "codecs", "collections", "collections.abc"),
    *("contextlib", "copy", "csv", "dataclasses", "datetime", "decimal", "difflib", "doctest", "enum"),
    *("fractions", "functools", "hashlib", "heapq", "io", "itertools", "json", "keyword", "math", "numbers"),
    *("operator", "pprint", "queue", "random", "re", "secrets", "statistics", "string", "struct", "sys"),
    *("textwrap", "threading", "time", "timeit", "traceback", "types", "typing", "unicodedata", "uuid"),
    *("warnings", "zlib"),
)
"""Modules that code may import; they are loaded first, because no file can be read later."""

_NEW_NAMESPACES = 0x08000000 | 0x20000000 | 0x40000000
"""CLONE_NEWIPC, CLONE_NEWPID and CLONE_NEWNET of sched.h."""
_NEW_USER = 0x10000000
_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38
_CAPABILITY_VERSION_3 = 0x20080522


def main() -> None:
    source = sys.stdin.buffer.read().decode(errors="replace")
    try:
        child = _isolate()
    except (OSError, ValueError, AttributeError):
        os._exit(UNAVAILABLE)
    if child == 0:
        _run(source)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        os._exit(TIME if os.WTERMSIG(status) in (signal.SIGKILL, signal.SIGXCPU) else CRASHED)
    os._exit(os.WEXITSTATUS(status))


def _isolate() -> int:
    """Forks into new namespaces without files; returns 0 in the child, which has no privileges left.

    Raises OSError without the rights or room for a process, ValueError where limits are lower already, and
    AttributeError where the system has no such calls.
    """
    for name in MODULES:
        importlib.import_module(name)
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    privileged = os.geteuid() == 0
    if libc.unshare(_NEW_NAMESPACES | (0 if privileged else _NEW_USER)) != 0:
        os._exit(UNAVAILABLE)
    os.chroot(sys.argv[1])
    os.chdir("/")
    child = os.fork()  # the first process of the new namespace: it sees no other one
    if child == 0:
        _drop_privileges(libc, privileged)
    return child


def _drop_privileges(libc: ctypes.CDLL, privileged: bool) -> None:
    """Sets the limits, and gives up all that a process may do more than others; exits if it cannot."""
    for limit, value in (
        (resource.RLIMIT_CPU, CPU_SECONDS),
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, OPEN_FILES),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(limit, (value, value))
    if privileged:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    nothing = (ctypes.c_uint32 * 6)()
    refused = libc.capset(header, nothing) or libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    if refused:
        os._exit(UNAVAILABLE)


def _run(source: str) -> None:
    """Runs the code, and exits with the code of how it ended."""
    sys.excepthook = _exit_after_exception
    sys.argv = [""]
    if ">>>" in source:
        _run_examples(source)
        _exit(0)
    try:
        code = compile(source, "<answer>", "exec")
    except (SyntaxError, ValueError) as error:
        print(f"{type(error).__name__}: {error}")
        _exit(SYNTAX)
    except (RecursionError, MemoryError):
        _exit(MEMORY)
    try:
        exec(code, {"__name__": "__main__"})
    except SystemExit as ending:
        _exit(0 if ending.code in (None, 0) else RAISED)
    _exit(0)


def _run_examples(source: str) -> None:
    """Runs the examples, and compares what they print with what is written below them."""
    import doctest

    class Runner(doctest.DocTestRunner):
        def report_unexpected_exception(self, out: Any, test: Any, example: Any, exc_info: Any) -> None:
            _exit_after_exception(*exc_info)

    try:
        test = doctest.DocTestParser().get_doctest(source, {}, "answer", None, 0)
    except ValueError as error:
        print(error)
        _exit(SYNTAX)
    if Runner(verbose=False).run(test).failed:
        _exit(WRONG)


def _exit_after_exception(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """Exits with the code of an exception: a fragment of code, or the sandbox, can be the reason."""
    sys.stdout = sys.__stdout__  # doctest replaces it
    print(f"{kind.__name__}: {error}"[:500])
    if issubclass(kind, MemoryError):
        _exit(MEMORY)
    if issubclass(kind, SyntaxError):
        _exit(SYNTAX)
    needs_more = issubclass(kind, NameError | ImportError | OSError | EOFError) or "new thread" in str(error)
    _exit(INCOMPLETE if needs_more else RAISED)


def _exit(code: int) -> None:
    """Exits at once, after what was printed is out."""
    assert sys.__stdout__ is not None
    sys.__stdout__.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
