"""What the harness does to the machine under a process: its own file systems, slow disks, cut networks.

Most of it needs root; without it, or without the tool, `missing` says why a fault cannot be made here.
"""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MEGABYTE = 1 << 20
FSYNC_SECONDS = 0.2
"""Delay of each sync of a slow disk: a busy spinning disk, or a throttled cloud volume."""
SYNCS = "fsync,fdatasync,sync_file_range,msync"
NETWORK = "10.231"
"""The first half of the addresses of the namespaces, which are chosen from a range for private use."""


def missing(kind: str) -> str | None:
    """Why this kind of fault cannot be made on this machine; None if it can."""
    tools = {"full disk": ("mount",), "slow disk": ("strace",), "partition": ("ip",)}.get(kind, ())
    if kind in ("full disk", "partition") and os.geteuid() != 0:
        return "it needs root"
    if absent := [tool for tool in tools if shutil.which(tool) is None]:
        return f"{absent[0]} is not installed"
    return None


def can_mount() -> bool:
    """Whether we may mount file systems of our own."""
    return missing("full disk") is None


def can_cut() -> bool:
    """Whether we may make networks of our own."""
    return missing("partition") is None


@contextmanager
def file_system(folder: Path, megabytes: int) -> Iterator[None]:
    """Mounts a file system in memory on the folder; without root, it is only a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    if not can_mount():
        yield
        return
    _run("mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0777", "tmpfs", str(folder))
    try:
        yield
    finally:
        _run("umount", "--lazy", str(folder))


def fill(folder: Path) -> None:
    """Fills the folder's file system to the last byte."""
    with (folder / "ballast").open("ab", buffering=0) as file:
        for size in (MEGABYTE, 4096, 1):
            try:
                while True:
                    file.write(b"\0" * size)
            except OSError:
                continue


def free(folder: Path) -> None:
    """Removes what filled it."""
    (folder / "ballast").unlink(missing_ok=True)


class SlowDisk:
    """Makes every sync to disk of a process and its threads wait: its system calls are traced and delayed."""

    def __init__(self, pids: list[int], log: Path) -> None:
        delay = f"inject={SYNCS}:delay_enter={round(FSYNC_SECONDS * 1e6)}"
        targets = [word for pid in pids for word in ("-p", str(pid))]
        command = ["strace", "-f", "-q", "-e", f"trace={SYNCS}", "-e", delay, "-o", str(log), *targets]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def stop(self) -> None:
        """Lets the process go on as before."""
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(5)


class Network:
    """A network namespace with one cable to the machine, which can be pulled out."""

    def __init__(self, name: str, number: int) -> None:
        self.name = f"nsf{os.getpid()}-{name}"
        self.address = f"{NETWORK}.{number}.2"
        self._cable = f"nsf{os.getpid() % 100000}{name[0]}"
        _run("ip", "netns", "add", self.name)
        _run("ip", "link", "add", self._cable, "type", "veth", "peer", "name", "eth0", "netns", self.name)
        _run("ip", "addr", "add", f"{NETWORK}.{number}.1/30", "dev", self._cable)
        self._inside("addr", "add", f"{self.address}/30", "dev", "eth0")
        self._inside("link", "set", "lo", "up")
        self._inside("link", "set", "eth0", "up")
        self.join()

    def cut(self) -> None:
        """Pulls the cable: packets are lost, and nobody is told."""
        self._inside("link", "set", "eth0", "down")

    def join(self) -> None:
        """Plugs it in again."""
        self._inside("link", "set", "eth0", "up")
        _run("ip", "link", "set", self._cable, "up")

    def remove(self) -> None:
        """Removes the namespace and its cable."""
        # The kernel removes a namespace's own end of the cable some time later.
        for words in (("link", "del", self._cable), ("netns", "del", self.name)):
            subprocess.run(["ip", *words], check=False, capture_output=True)

    def _inside(self, *command: str) -> None:
        _run("ip", "-n", self.name, *command)


def _run(*command: str) -> None:
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
