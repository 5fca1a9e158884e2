"""Unix sockets of our servers: where they are, and how one server takes such a path for itself."""

import fcntl
import os
import stat
import tempfile
from hashlib import sha256
from pathlib import Path

from memory.errors import StoreUnavailable

LONGEST = 100
"""In bytes. Linux allows 107 for the path of a Unix socket, and Redis appends to it while starting."""


def socket_path(folder: Path, name: str) -> Path:
    """The socket `name` of the server for `folder`: inside it, or, if that path is too long for a socket, in
    a private folder of the system's temporary directory, named by the digest of `folder`.
    """
    in_folder = folder.resolve() / name
    if len(os.fsencode(in_folder)) <= LONGEST:
        return in_folder
    digest = sha256(os.fsencode(folder.resolve())).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"nightschool-{os.getuid()}-{digest}" / name


def make_folder(folder: Path, name: str) -> Path:
    """Creates the folder of `socket_path`, for this user only, and returns the path.

    Raises StoreUnavailable if a folder cannot be created, or the socket's belongs to another user.
    """
    path = socket_path(folder, name)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = path.parent.lstat()
    except OSError as error:
        raise StoreUnavailable(f"the folder {folder} cannot be created: {error}") from error
    outside = path.parent != folder.resolve()
    if outside and (status.st_uid != os.getuid() or not stat.S_ISDIR(status.st_mode)):
        raise StoreUnavailable(
            f"{path.parent} belongs to another user: choose a home folder with a shorter path than {folder}"
        )
    return path


def take(path: Path) -> None:
    """Makes the path free to bind, for this process and what it executes: removes what a killed server left.

    A lock file beside it, held until the process ends, keeps a second server from taking it away. Raises
    StoreUnavailable if another server holds it.
    """
    lock = os.open(path.with_name(f"{path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise StoreUnavailable(f"another server listens on {path}: stop it first") from None
    os.set_inheritable(lock, True)
    path.unlink(missing_ok=True)
