"""Modes of state files: nothing in the home folder is readable for other users of the machine."""

import os
import stat
from pathlib import Path

OTHERS = 0o007
GROUP_AND_OTHERS = 0o077


def keep_private() -> None:
    """Sets the umask of an entry point, so that what it creates is for this user alone.

    A umask that already shuts out all others is left as it is: the parts that `nightschool up
    --separate-users` starts share some files with one group.
    """
    before = os.umask(GROUP_AND_OTHERS)
    if before & OTHERS == OTHERS:
        os.umask(before)


def make_home(folder: Path) -> None:
    """Creates the home folder, or closes an existing one of this user to all others. Raises OSError.

    A folder of another user, or of separate users (with the sticky bit), is left as it is.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = folder.stat()
    shared = status.st_uid != os.getuid() or status.st_mode & stat.S_ISVTX
    if not shared and status.st_mode & GROUP_AND_OTHERS:
        folder.chmod(0o700)
