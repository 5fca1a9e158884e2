"""Virtual environments of the other servers, under .nightschool and reused by later runs."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

INSTALL_SECONDS = 900


class Unavailable(Exception):
    """Software for a comparison cannot be installed or started here; the message has the reason."""


def installed(folder: Path, packages: Sequence[str], command: str) -> Path:
    """The path of `command` in the environment in `folder`, which is created if missing.

    Raises Unavailable if the packages cannot be installed.
    """
    path = (folder / "bin" / command).absolute()
    if path.exists():
        return path
    python = str(path.parent / "python")
    try:
        subprocess.run(
            [sys.executable, "-m", "venv", str(folder)], check=True, capture_output=True, text=True
        )
        install = [python, "-m", "pip", "install", "-q", *packages]
        subprocess.run(install, check=True, capture_output=True, text=True, timeout=INSTALL_SECONDS)
    except subprocess.CalledProcessError as error:
        last = (error.stderr or "").strip().splitlines()[-1:] or [str(error)]
        raise Unavailable(f"{' '.join(packages)} cannot be installed: {last[0][:200]}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"{' '.join(packages)} cannot be installed: {error}") from error
    if not path.exists():
        raise Unavailable(f"{' '.join(packages)} has no command {command}")
    return path
