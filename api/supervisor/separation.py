"""Separate system users for the processes of one machine: `nightschool up --separate-users`.

The api's user cannot write adapters nor train, the worker's cannot read chats, documents or keys of the api,
and the engine's reads adapters and models and nothing else.
"""

import grp
import os
import pwd
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from agent.models.store import resolve_model
from agent.settings import PREFIX, SHARED, Settings
from api.supervisor.supervisor import Component, Identity
from memory.adapters.mlflow import DATABASE, MlflowAdapterRegistry
from memory.signatures import FOLDER as KEYS
from memory.signatures import SigningKeys
from memory.unix_sockets import LONGEST

API, ENGINE, WORKER = "nightschool-api", "nightschool-engine", "nightschool-worker"
USERS = (API, ENGINE, WORKER)
SHARING = "nightschool"
"""Group of the api's and the worker's users: the databases that both write."""
ADAPTERS = "nightschool-adapters"
"""Group of all three: reads adapters."""
IDENTITIES = {
    "graph": Identity(API, API),
    "console": Identity(API, API),
    "api": Identity(API, API, (SHARING, ADAPTERS), 0o027),
    "worker": Identity(WORKER, WORKER, (SHARING, ADAPTERS), 0o027),
    "engine": Identity(ENGINE, ENGINE, (ADAPTERS,), 0o007),
}
"""By component."""
HOMES = {"graph": "api", "api": "api", "console": "api", "worker": "worker", "engine": "engine"}
"""By component, the folder in the home folder that is its user's HOME, for caches of libraries."""
SECRETS = (
    *("APPROVER_DATABASE_URL", "API_KEY", "ENGINE_KEY", "TEACHER_KEY", "WEBHOOK_SECRET"),
    *("PRIVACY", "PRIVACY_KEY"),  # both: encryption without its key is no valid setting
)
"""Settings with secrets that the worker has no use for."""


@dataclass(frozen=True)
class Folder:
    """A folder in the home folder, and who may use it; the mode holds for what is in it, too."""

    name: str
    owner: str
    group: str
    mode: int


FOLDERS = (
    Folder("api", API, API, 0o700),
    Folder("episodic", API, API, 0o700),
    Folder("answers", API, API, 0o700),
    Folder("calibrations", API, API, 0o700),
    Folder("graph", API, API, 0o700),
    Folder("console", API, API, 0o700),
    Folder("worker", WORKER, WORKER, 0o700),
    Folder("jobs", WORKER, WORKER, 0o700),
    Folder("adapters", WORKER, ADAPTERS, 0o2750),
    Folder("engine", ENGINE, API, 0o2750),
    Folder("outbox", API, WORKER, 0o2750),
    Folder("outbox/progress", WORKER, API, 0o2770),
    Folder(SHARED, "root", SHARING, 0o2770),
)
API_FILES = (
    *("nightschool.db", "checkpoints.db", "items.db", "runs.db"),
    *("audit.heads", "api.lock", "service.json", "web-cache.db"),
)
"""Files of the api in the home folder itself; its databases have further files beside them."""


def separate(settings: Settings, parts: Iterable[Component]) -> tuple[Component, ...]:
    """Makes the users and the folders, and returns the components with the users that they run as.

    Raises ValueError if this process is not root's, or a user cannot read Nightschool or the model.
    """
    if os.geteuid() != 0:
        raise ValueError("--separate-users starts processes as other users: run it as root")
    if len(os.fsencode(settings.path("engine") / "engine.sock")) > LONGEST:
        raise ValueError("the engine's socket does not fit in so long a path: set a shorter NIGHTSCHOOL_HOME")
    make_users()
    home = settings.path("")
    separated = tuple(_as_own_user(part, home) for part in parts)
    model = resolve_model(settings).folder
    for part in separated:
        if part.name != "graph":
            check_access(part, model / "config.json")
    prepare(home)
    return separated


def make_users() -> None:
    """Creates the system users and groups that are missing. Raises ValueError if that fails."""
    try:
        for group in (SHARING, ADAPTERS):
            if not _exists(grp.getgrnam, group):
                subprocess.run(["groupadd", "--system", group], check=True, capture_output=True, text=True)
        for user in USERS:
            if not _exists(pwd.getpwnam, user):
                options = ("--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin")
                subprocess.run(["useradd", *options, user], check=True, capture_output=True, text=True)
    except FileNotFoundError as error:
        raise ValueError(f"{error.filename} is missing: create {', '.join(USERS)} yourself") from None
    except subprocess.CalledProcessError as error:
        raise ValueError(f"{' '.join(error.cmd)} failed: {error.stderr.strip()}") from None


def _exists(look_up: Callable[[str], object], name: str) -> bool:
    try:
        look_up(name)
    except KeyError:
        return False
    return True


def prepare(home: Path) -> None:
    """Creates the folders with their owners and modes, the keys and the shared databases; safe to repeat.

    Raises ValueError if a link is where a folder belongs.
    """
    home.mkdir(parents=True, exist_ok=True)
    shutil.chown(home, "root", API)
    home.chmod(0o1771)  # the api makes files in it, and nobody removes those of others
    keys = SigningKeys(home / KEYS)
    keys.make("approver")
    keys.make("worker")
    shutil.chown(keys.private_path("approver"), API, API)
    shutil.chown(keys.private_path("worker"), WORKER, WORKER)
    (home / KEYS).chmod(0o711)
    (home / KEYS / "public").chmod(0o755)
    if not (home / DATABASE).exists():  # else the first to open it alone could write it
        MlflowAdapterRegistry(home)
    (home / SHARED / "training.db").touch()
    (home / "logs").mkdir(mode=0o700, exist_ok=True)
    for folder in FOLDERS:
        if (home / folder.name).is_symlink():
            raise ValueError(f"{home / folder.name} is a link: remove it")
        (home / folder.name).mkdir(parents=True, exist_ok=True)
        _give(home / folder.name, folder)
    for name in API_FILES:
        for path in home.glob(f"{name}*"):
            _give_file(path, None, *_ids(API, API), 0o600)


def _give(root: Path, folder: Folder) -> None:
    """Gives the folder and what is in it to its owner. Follows no links: their targets may be root's."""
    owner, group = _ids(folder.owner, folder.group)
    for _, _, files, descriptor in os.fwalk(root, follow_symlinks=False):
        os.fchown(descriptor, owner, group)
        os.fchmod(descriptor, folder.mode)
        for name in files:
            _give_file(name, descriptor, owner, group, folder.mode & 0o660)


def _give_file(name: str | Path, folder: int | None, owner: int, group: int, mode: int) -> None:
    """Gives a file away, unless it is a link, a socket or a pipe."""
    if not stat.S_ISREG(os.lstat(name, dir_fd=folder).st_mode):
        return
    file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    try:
        os.fchown(file, owner, group)
        os.fchmod(file, mode)
    finally:
        os.close(file)


def _ids(user: str, group: str) -> tuple[int, int]:
    return pwd.getpwnam(user).pw_uid, grp.getgrnam(group).gr_gid


def _as_own_user(part: Component, home: Path) -> Component:
    """The component as its own user, without the settings that its process has no use for."""
    variables = [f"{PREFIX}{name}" for name in SECRETS] if part.name == "worker" else []
    if part.name in ("engine", "graph"):
        variables = [name for name in os.environ if name.startswith(PREFIX)]
    unset = [option for name in variables for option in ("-u", name)]
    command = ("env", *unset, f"HOME={home / HOMES[part.name]}", *part.command)
    return replace(part, command=command, identity=IDENTITIES[part.name])


def check_access(part: Component, model: Path) -> None:
    """Raises ValueError unless the component's user can run this Python with our code, and read the model."""
    assert part.identity is not None, "it has been separated"
    code = "import sys, agent.settings; open(sys.argv[1], 'rb').close()"
    command = [sys.executable, "-P", "-c", code, str(model)]
    try:
        options = part.identity.options
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/", **options)
        problem = done.stderr.strip().rpartition("\n")[2] if done.returncode else ""
    except PermissionError as error:
        problem = str(error)
    if problem:
        raise ValueError(
            f"the user {part.identity.user} cannot run {sys.executable} and read {model} ({problem}): install"
            " Nightschool and its models where all users may read, such as below /opt"
        )
