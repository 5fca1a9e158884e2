"""Runs a command that holds a lock file for as long as it lives: `python exclusive.py LOCK COMMAND...`.

A script of its own without imports of ours, because it starts before a server.
"""

import fcntl
import os
import sys
from pathlib import Path


def main(lock_path: Path, command: list[str]) -> None:
    """Becomes the command, unless another process holds the lock."""
    lock = os.open(lock_path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit(f"another graph server uses {lock_path.parent}: stop it, or set another NIGHTSCHOOL_HOME")
    os.set_inheritable(lock, True)
    os.execv(command[0], command)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
