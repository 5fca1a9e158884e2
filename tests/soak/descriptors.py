"""What a process has open, by kind, so that a count that grows can be told from whom it grows."""

import re
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # ships no types

_ID = re.compile(r"[0-9a-f]{8,}(?:-[0-9a-f]{4,})*|\d+")


def descriptors(pid: int, ports: Mapping[int, str]) -> Counter[str]:
    """The open descriptors of a process by what they are; sockets by the server that they lead to.

    `ports` names the servers. Numbers and ids in paths are `N`, so that files of one kind count as one.
    """
    sockets = _sockets(pid, ports)
    found: Counter[str] = Counter()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):  # closed meanwhile
            target = str(link.readlink())
            found[sockets.get(int(link.name)) or _ID.sub("N", target)] += 1
    return found


def _sockets(pid: int, ports: Mapping[int, str]) -> dict[int, str]:
    found = {}
    for each in psutil.Process(pid).net_connections(kind="all"):
        if isinstance(each.laddr, str):  # of a Unix socket
            found[each.fd] = f"Unix socket {_ID.sub('N', each.laddr or each.raddr or 'without a name')}"
        elif not each.raddr:
            found[each.fd] = f"listens on {ports.get(each.laddr.port, 'a port')}"
        elif each.laddr.port in ports:
            found[each.fd] = f"from a client of {ports[each.laddr.port]}, {each.status}"
        else:
            found[each.fd] = f"to {ports.get(each.raddr.port, 'another port')}, {each.status}"
    return found
