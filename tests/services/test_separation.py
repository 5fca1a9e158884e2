"""Separate users: each process's user can use its own folders, and is refused the others'."""

import asyncio
import os
import pwd
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from agent.settings import Settings
from api.supervisor import separation
from api.supervisor.separation import IDENTITIES, check_access, make_users, prepare, separate
from api.supervisor.supervisor import Component, Identity, supervise
from memory.adapters.mlflow import DATABASE, SIGNATURE
from memory.outbox.approvals import check_approval
from memory.outbox.base import Progress
from memory.outbox.files import progress_path, publish, read, report_progress
from memory.signatures import FOLDER, SigningKeys
from tests.support.adapters import curriculum
from tests.support.approvals import approve

pytestmark = [
    pytest.mark.services,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can start processes as other users"),
]

Act = Callable[[Path], object]

LAMPS = curriculum("lamps")
API, WORKER, ENGINE = IDENTITIES["api"], IDENTITIES["worker"], IDENTITIES["engine"]
ADAPTER = Path("adapters", "lamps-v1-01234567")
WEIGHTS = ADAPTER / "adapter_model.safetensors"
SOCKET = Path("engine", "engine.sock")
CURRICULUM = Path("outbox", f"{LAMPS.digest}.json")
QUEUE = Path("shared", "training.db")
KEYS = Path(FOLDER)


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """A home folder that each user has put its own files into. Not in pytest's folder, which is root's."""
    make_users()
    top = Path(tempfile.mkdtemp(prefix="nightschool-users-"))
    top.chmod(0o711)
    made = top / "home"
    prepare(made)
    for identity, fill in ((API, fill_as_api), (WORKER, fill_as_worker), (ENGINE, fill_as_engine)):
        assert as_user(identity, fill, made) is None
    yield made
    shutil.rmtree(top)


def fill_as_api(home: Path) -> None:
    publish(home / "outbox", LAMPS)
    approve(home, LAMPS.digest)
    (home / "episodic" / "passages").write_text("a passage")
    for name in ("nightschool.db", "checkpoints.db", QUEUE):
        with sqlite3.connect(home / name) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("CREATE TABLE rows (id text)")


def fill_as_worker(home: Path) -> None:
    (home / ADAPTER).mkdir()
    (home / WEIGHTS).write_text("weights")
    (home / ADAPTER / SIGNATURE).write_text(SigningKeys(home / KEYS).sign("worker", "adapter", b"x"))
    report_progress(home / "outbox", LAMPS.digest, Progress(phase="training"))
    (home / "jobs" / "answers.jsonl").write_text("{}")


def fill_as_engine(home: Path) -> None:
    (home / SOCKET).touch(0o666)


def as_user(identity: Identity, act: Act, home: Path) -> str | None:
    """What the act fails with in a process of that user; None if it succeeds."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        problem = ""
        try:
            user = pwd.getpwnam(identity.user)
            os.umask(identity.umask)
            os.setgroups([separation._ids(user.pw_name, group)[1] for group in identity.extra_groups])
            os.setgid(user.pw_gid)
            os.setuid(user.pw_uid)
            act(home)
        except BaseException as error:  # noqa: BLE001  # the parent judges it
            problem = f"{type(error).__name__}: {error}"
        os.write(writing, problem.encode()[:4000])
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        problem = pipe.read().decode()
    os.waitpid(child, 0)
    return problem or None


def reads(path: Path) -> Act:
    return lambda home: (home / path).read_bytes()


def writes(path: Path) -> Act:
    return lambda home: (home / path).write_text("x")


def inserts(database: Path) -> Act:
    def act(home: Path) -> None:
        with sqlite3.connect(home / database) as connection:
            connection.execute("INSERT INTO rows VALUES ('x')")

    return act


def renews_progress(home: Path) -> None:
    """As submitting a failed job again does."""
    path = progress_path(home / "outbox", LAMPS.digest)
    path.read_text()
    path.unlink()


def checks_the_worker(home: Path) -> None:
    SigningKeys(home / KEYS).check("worker", "adapter", b"x", (home / ADAPTER / SIGNATURE).read_text())


def checks_the_approver(home: Path) -> None:
    assert read(home / "outbox", LAMPS.digest) == LAMPS
    check_approval(SigningKeys(home / KEYS), home / "outbox", LAMPS.digest)


ALLOWED: dict[str, tuple[Identity, Act]] = {
    "the api renews the progress": (API, renews_progress),
    "the api reads adapters": (API, reads(WEIGHTS)),
    "the api checks what the worker signed": (API, checks_the_worker),
    "the api queues jobs": (API, inserts(QUEUE)),
    "the api uses the engine's socket": (API, writes(SOCKET)),
    "the api writes chats": (API, inserts(Path("nightschool.db"))),
    "the worker checks and reads curricula": (WORKER, checks_the_approver),
    "the worker takes jobs": (WORKER, inserts(QUEUE)),
    "the worker writes adapters": (WORKER, writes(ADAPTER / "adapter.json")),
    "the engine reads adapters": (ENGINE, reads(WEIGHTS)),
}
FORBIDDEN: dict[str, tuple[Identity, Act]] = {
    "the api writes adapters": (API, writes(WEIGHTS)),
    "the api adds adapters": (API, lambda home: (home / "adapters" / "mine").mkdir()),
    "the api moves adapters away": (API, lambda home: (home / "adapters").rename(home / "gone")),
    "the api reads the worker's key": (API, reads(KEYS / "worker.key")),
    "the api replaces a public key": (API, writes(KEYS / "public" / "worker.pem")),
    "the api reads the worker's answers": (API, reads(Path("jobs", "answers.jsonl"))),
    "the worker reads chats": (WORKER, reads(Path("nightschool.db"))),
    "the worker reads checkpoints": (WORKER, reads(Path("checkpoints.db"))),
    "the worker reads documents": (WORKER, reads(Path("episodic", "passages"))),
    "the worker writes curricula": (WORKER, writes(Path("outbox", f"{'0' * 64}.json"))),
    "the worker alters curricula": (WORKER, writes(CURRICULUM)),
    "the worker reads the approver's key": (WORKER, reads(KEYS / "approver.key")),
    "the worker writes into the home folder": (WORKER, writes(Path("mine"))),
    "the worker uses the engine's socket": (WORKER, writes(SOCKET)),
    "the engine writes adapters": (ENGINE, writes(WEIGHTS)),
    "the engine reads chats": (ENGINE, reads(Path("nightschool.db"))),
    "the engine reads curricula": (ENGINE, reads(CURRICULUM)),
    "the engine reads the registry": (ENGINE, reads(Path(DATABASE))),
    "the engine reads the queue": (ENGINE, reads(QUEUE)),
    "the engine reads the approver's key": (ENGINE, reads(KEYS / "approver.key")),
    "the engine reads the worker's key": (ENGINE, reads(KEYS / "worker.key")),
}


@pytest.mark.parametrize("what", ALLOWED)
def test_each_user_can_do_its_processs_work(home: Path, what: str) -> None:
    identity, act = ALLOWED[what]
    assert as_user(identity, act, home) is None


@pytest.mark.parametrize("what", FORBIDDEN)
def test_each_user_is_refused_the_others_part(home: Path, what: str) -> None:
    identity, act = FORBIDDEN[what]
    problem = as_user(identity, act, home)
    assert problem is not None
    assert problem.startswith("PermissionError")


def test_preparing_again_changes_no_access_and_follows_no_links(home: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("root's")
    secret.chmod(0o600)
    link = home / "episodic" / "link"
    link.symlink_to(secret)
    prepare(home)
    link.unlink()
    assert (secret.stat().st_uid, secret.stat().st_mode & 0o777) == (0, 0o600)
    assert as_user(WORKER, reads(Path("nightschool.db")), home) is not None
    assert as_user(API, inserts(Path("nightschool.db")), home) is None
    others = Identity("nobody", "nogroup")
    for path in ("nightschool.db", WEIGHTS, CURRICULUM, DATABASE, SOCKET):
        assert as_user(others, reads(Path(path)), home) is not None


async def test_the_supervisor_starts_a_component_as_its_user(home: Path) -> None:
    said: list[str] = []
    stop = asyncio.Event()
    part = Component(
        name="engine",
        command=("sh", "-c", "id -un; id -Gn; umask; echo ready; exec sleep 60"),
        ready_line="ready",
        identity=ENGINE,
    )
    await supervise(
        [part],
        logs=home / "logs",
        on_output=lambda name, line: said.append(line),
        on_event=lambda name, line: None,
        on_ready=lambda seconds: stop.set(),
        stop=stop,
    )
    assert said == [ENGINE.user, f"{ENGINE.group} {separation.ADAPTERS}", "0007", "ready"]


def test_a_user_that_cannot_read_the_model_is_named_with_what_to_do(tmp_path: Path) -> None:
    make_users()
    part = replace(Component(name="engine", command=("true",)), identity=ENGINE)
    with pytest.raises(ValueError, match=r"nightschool-engine cannot run .*such as below /opt"):
        check_access(part, tmp_path / "config.json")


def test_only_root_may_separate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(ValueError, match="run it as root"):
        separate(Settings(home=tmp_path), ())


def test_the_engine_gets_no_setting_and_the_worker_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets = ("NIGHTSCHOOL_TEACHER_KEY", "NIGHTSCHOOL_PRIVACY", "NIGHTSCHOOL_PRIVACY_KEY")
    for secret in secrets:
        monkeypatch.setenv(secret, "hush")
    for name in ("engine", "worker"):
        command = separation._as_own_user(Component(name=name, command=("true",)), tmp_path).command
        assert all(command[command.index(secret) - 1] == "-u" for secret in secrets)
