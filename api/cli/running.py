"""Where the running api listens: `service.json` in the home folder, written at start and removed at stop."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agent.settings import Settings

FILE = "service.json"
ANY_ADDRESS = ("0.0.0.0", "::")
"""An api that listens on all addresses is reached on the loopback one."""


@contextmanager
def announced(settings: "Settings") -> Iterator[None]:
    """Names this process and its URL in the home folder, for as long as the block runs."""
    path = settings.path(FILE)
    path.parent.mkdir(parents=True, exist_ok=True)
    host = "127.0.0.1" if settings.api_host in ANY_ADDRESS else settings.api_host
    record = {"url": f"http://{host}:{settings.api_port}", "pid": os.getpid()}
    unfinished = path.with_suffix(f".{os.getpid()}")
    unfinished.write_text(json.dumps(record) + "\n", encoding="utf-8")
    unfinished.rename(path)
    try:
        yield
    finally:
        if (_read(path) or {}).get("pid") == os.getpid():
            path.unlink(missing_ok=True)


def service_url(settings: "Settings") -> str:
    """URL of the api: by the host or port that is set, else of the one running on the home folder, else the
    default."""
    if {"api_host", "api_port"} & settings.model_fields_set:
        return settings.api_url
    return running_url(settings) or settings.api_url


def running_url(settings: "Settings") -> str | None:
    """URL of the api that runs on the home folder; None where there is none, as after it was killed."""
    record = _read(settings.path(FILE))
    if record is None or not Path(f"/proc/{record['pid']}").exists():
        return None
    return str(record["url"])


def _read(path: Path) -> dict[str, Any] | None:
    with suppress(OSError, ValueError):
        record = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(record, dict) and {"url", "pid"} <= record.keys():
            return record
    return None
