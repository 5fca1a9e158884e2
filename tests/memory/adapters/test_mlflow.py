"""The adapter registry on MLflow: its files, its metrics, its database, and other processes.

What every adapter registry does is in tests/conformance/test_adapter_registry.py.
"""

import hashlib
import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from memory.adapters.mlflow import ADAPTER_FILES, DATABASE, RECORD, SIGNATURE, MlflowAdapterRegistry
from memory.errors import AdapterNotServable, BadSignature, CorruptRecord, StoreUnavailable
from memory.records.adapters import Adapter
from memory.records.base import digest_of
from memory.signatures import SigningKeys
from tests.support.adapters import adapter, score

pytestmark = pytest.mark.services


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> MlflowAdapterRegistry:
    return MlflowAdapterRegistry(tmp_path_factory.mktemp("home"))


@pytest.fixture
def domain(request: pytest.FixtureRequest) -> str:
    """A domain of its own for each test: opening a new registry takes seconds."""
    return digest_of(request.node.name)[:16]


def keep(registry: MlflowAdapterRegistry, made: Adapter) -> Adapter:
    folder = registry._home / "adapters" / made.name
    folder.mkdir(parents=True)
    for file in ADAPTER_FILES:
        (folder / file).write_text("weights")
    registry.register(made)
    return made


def test_a_registered_adapter_has_a_folder(opened: MlflowAdapterRegistry, domain: str) -> None:
    made = keep(opened, adapter(domain))
    assert Path(opened.get(made.name).path).is_dir()


def test_what_was_measured_of_earlier_lessons_is_among_the_metrics(
    opened: MlflowAdapterRegistry, domain: str
) -> None:
    plain = adapter(domain)
    keep(opened, plain.model_copy(update={"after": plain.after.model_copy(update={"rehearsed": score(0.7)})}))
    run = opened._client.get_run(str(opened._version(plain.name).run_id))
    assert run.data.metrics["after.rehearsed.accuracy"] == 0.7
    assert "before.rehearsed.accuracy" not in run.data.metrics
    assert run.data.metrics["before.unknown.count"] == plain.before.unknown.count


def test_versions_count_up_from_one_per_domain(opened: MlflowAdapterRegistry, domain: str) -> None:
    assert opened.next_version(domain) == 1
    keep(opened, adapter(domain, 1))
    keep(opened, adapter(domain, 2, rejected=True))
    assert opened.next_version(domain) == 3


def test_an_alias_of_an_earlier_version_becomes_that_of_the_live_adapters_base(
    opened: MlflowAdapterRegistry, domain: str
) -> None:
    """As an earlier version left it: promoted 1, 2 on another base, and 3, which is live."""
    first, other, third = adapter(domain, 1), adapter(domain, 2), adapter(domain, 3)
    for made in (first, other.model_copy(update={"base_digest": "cd" * 32}), third):
        keep(opened, made)
    numbers = [str(opened._version(made.name).version) for made in (first, other, third)]
    opened._client.set_registered_model_tag(domain, "promotions", ",".join(numbers))
    opened._client.set_registered_model_alias(domain, "live", numbers[2])
    bound = MlflowAdapterRegistry(opened._home, base=third.base_digest)
    live = bound.live(domain)
    assert (live.name if live else None) == third.name
    previous = bound.rollback(domain)
    assert (previous.name if previous else None) == first.name
    assert MlflowAdapterRegistry(opened._home, base="cd" * 32).live(domain) is None
    again = MlflowAdapterRegistry(opened._home, base=third.base_digest).live(domain)
    assert (again.name if again else None) == first.name, "the alias was bound a second time"


def test_an_adapter_whose_weights_are_gone_is_not_promoted(
    opened: MlflowAdapterRegistry, domain: str
) -> None:
    made = keep(opened, adapter(domain))
    (Path(opened.get(made.name).path) / "adapter_model.safetensors").unlink()
    with pytest.raises(AdapterNotServable, match=r"adapter_model\.safetensors"):
        opened.promote(made.name)


def test_a_record_altered_after_registration_is_refused(opened: MlflowAdapterRegistry, domain: str) -> None:
    made = keep(opened, adapter(domain))
    path = Path(opened.get(made.name).path) / "adapter.json"
    path.write_text(path.read_text().replace('"accuracy": 0.9', '"accuracy": 1.0'))
    with pytest.raises(CorruptRecord, match="altered"):
        opened.get(made.name)


def test_an_adapter_without_the_workers_signature_is_neither_listed_nor_promoted(
    opened: MlflowAdapterRegistry, domain: str
) -> None:
    made = keep(opened, adapter(domain))
    path = Path(opened.get(made.name).path) / SIGNATURE
    signature = path.read_text()
    SigningKeys(opened._home / "keys").make("approver")
    other = SigningKeys(opened._home / "keys").sign("approver", "adapter", b"x")
    for content in (None, "", "no base64!", other):
        path.unlink(missing_ok=True)
        if content is not None:
            path.write_text(content)
        with pytest.raises(BadSignature, match=made.name):
            opened.get(made.name)
        with pytest.raises(BadSignature):
            opened.promote(made.name)
        assert opened.list(domain) == ()
    path.write_text(signature)
    assert opened.get(made.name).name == made.name


def test_who_can_write_the_registrys_database_and_folder_cannot_forge_an_adapter(
    opened: MlflowAdapterRegistry, domain: str
) -> None:
    """Both hold what a forger writes, but for the worker's key."""
    made, other = keep(opened, adapter(domain, 1)), keep(opened, adapter(domain, 2))
    folder = Path(opened.get(made.name).path)
    record = (folder / RECORD).read_text().replace('"accuracy": 0.9', '"accuracy": 1.0')
    version = opened._version(made.name)

    def forge(record: str) -> None:
        (folder / RECORD).write_text(record)
        digest = hashlib.sha256(record.encode()).hexdigest()
        opened._client.set_model_version_tag(domain, version.version, "record", digest)

    forge(record)
    with pytest.raises(BadSignature, match="not one of the worker's"):
        opened.get(made.name)
    elsewhere = Path(opened.get(other.name).path)
    (folder / SIGNATURE).write_text((elsewhere / SIGNATURE).read_text())
    forge((elsewhere / RECORD).read_text())
    with pytest.raises(BadSignature, match="is the record of"):
        opened.get(made.name)


def test_a_rejected_adapter_stays_rejected_whatever_the_database_says(
    opened: MlflowAdapterRegistry, domain: str
) -> None:
    made = keep(opened, adapter(domain, rejected=True))
    opened._client.set_model_version_tag(domain, opened._version(made.name).version, "status", "candidate")
    assert opened.get(made.name).status == "rejected"
    with pytest.raises(AdapterNotServable, match="rejected"):
        opened.promote(made.name)


def test_a_registration_that_was_cut_off_is_completed_by_the_next(
    opened: MlflowAdapterRegistry, domain: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = adapter(domain)
    with monkeypatch.context() as patch:
        patch.setattr(SigningKeys, "sign", lambda *_: (_ for _ in ()).throw(OSError("killed")))
        with pytest.raises(StoreUnavailable):
            keep(opened, made)
    assert opened.list(domain) == ()
    opened.register(made)
    assert [found.name for found in opened.list(domain)] == [made.name]


def test_an_adapter_whose_record_is_gone_is_logged_once_and_hides_no_other(
    opened: MlflowAdapterRegistry, domain: str, caplog: pytest.LogCaptureFixture
) -> None:
    gone, sound = keep(opened, adapter(domain, 1)), keep(opened, adapter(domain, 2))
    (Path(opened.get(gone.name).path) / "adapter.json").unlink()
    for _ in range(2):
        assert [found.name for found in opened.list(domain)] == [sound.name]
    (said,) = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert "adapter.json is gone: restore it" in said


def test_a_registry_that_cannot_be_opened_says_so(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / DATABASE).write_text("this is not a database, and long enough to be read as one" * 40)
    with pytest.raises(StoreUnavailable, match="registry"):
        MlflowAdapterRegistry(tmp_path)


def test_a_database_that_breaks_while_it_is_open_is_an_unavailable_store(
    opened: MlflowAdapterRegistry, tmp_path: Path
) -> None:
    (tmp_path / "shared").mkdir()
    database = shutil.copy(opened._home / DATABASE, tmp_path / DATABASE)
    registry = MlflowAdapterRegistry(tmp_path)
    with closing(sqlite3.connect(database)) as connection:
        connection.executescript("DROP TABLE model_versions; DROP TABLE registered_models")
    for call in (registry.list, lambda: registry.live("lamps"), lambda: registry.rollback("lamps")):
        with pytest.raises(StoreUnavailable, match="is not locked"):
            call()


def test_another_process_sees_a_promotion_at_once(opened: MlflowAdapterRegistry, domain: str) -> None:
    made = keep(opened, adapter(domain))
    code = (
        "from pathlib import Path; from memory.adapters.mlflow import MlflowAdapterRegistry; "
        f"MlflowAdapterRegistry(Path({str(opened._home)!r})).promote({made.name!r})"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
    live = opened.live(domain)
    assert live is not None
    assert live.name == made.name


def test_a_process_killed_while_it_creates_the_registry_leaves_the_next_one_nothing_to_mend(
    tmp_path: Path,
) -> None:
    code = """
import sys, pathlib
from memory.adapters.mlflow import MlflowAdapterRegistry
MlflowAdapterRegistry(pathlib.Path(sys.argv[1]))
"""
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)])
    try:
        ends = time.monotonic() + 60
        while not any(map(_bytes, tmp_path.glob("shared/.mlflow.db.*"))):
            assert process.poll() is None, "it was created before it could be killed"
            assert time.monotonic() < ends
            time.sleep(0.01)
    finally:
        process.kill()
        process.wait()
    assert not (tmp_path / DATABASE).exists()
    assert MlflowAdapterRegistry(tmp_path).list() == ()


def _bytes(path: Path) -> int:
    """The size of a file that may vanish at any moment, as SQLite's journals do."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


@pytest.mark.parametrize("url", ["postgresql://u:s3cret[x@h/db", "postgresql://u:s3cret@127.0.0.1:1x/db"])
def test_a_malformed_url_is_an_error_that_names_no_password(tmp_path: Path, url: str) -> None:
    with pytest.raises(StoreUnavailable) as error:
        MlflowAdapterRegistry(tmp_path, url)
    assert "s3cret" not in str(error.value)


def weights(made: Adapter, registry: MlflowAdapterRegistry) -> list[str]:
    folder = Path(registry.get(made.name).path)
    return [file for file in ADAPTER_FILES if (folder / file).exists()]


def test_what_can_never_be_served_again_loses_its_weights_and_nothing_else(
    opened: MlflowAdapterRegistry, domain: str
) -> None:
    bad, good = digest_of([domain, "bad"]), digest_of([domain, "good"])
    knows = keep(opened, adapter(domain, 1, digest=bad))
    rehearsed = adapter(domain, 2, digest=good).model_copy(update={"rehearsed": (bad,)})
    keep(opened, rehearsed)
    other = keep(opened, adapter(domain, 3, digest=good))
    opened.promote(rehearsed.name)
    assert opened.erase_forgotten() == ()
    opened.quarantine(bad, "forgotten: it was wrong")
    assert opened.erase_forgotten() == (knows.name,)
    assert weights(knows, opened) == []
    assert weights(rehearsed, opened) == [*ADAPTER_FILES], "it serves until another replaces it"
    opened.promote(other.name)
    assert opened.erase_forgotten() == (rehearsed.name,)
    assert opened.erase_forgotten() == ()
    assert weights(other, opened) == [*ADAPTER_FILES]
    assert [found.name for found in opened.list(domain)] == [knows.name, rehearsed.name, other.name]


def test_what_serves_another_base_model_keeps_its_weights(opened: MlflowAdapterRegistry, domain: str) -> None:
    made = keep(opened, adapter(domain, digest=digest_of([domain])))
    opened.promote(made.name)
    opened.quarantine(made.learned[-1], "forgotten: it was wrong")
    assert opened.on_base("ef" * 32).erase_forgotten() == ()
    assert weights(made, opened) == [*ADAPTER_FILES]


def test_what_one_base_model_could_not_learn_keeps_its_weights(
    opened: MlflowAdapterRegistry, domain: str
) -> None:
    made = keep(opened, adapter(domain, digest=digest_of([domain])))
    opened.quarantine(made.learned[-1], "failed its gates", base=made.base_digest)
    assert opened.erase_forgotten() == ()
    assert weights(made, opened) == [*ADAPTER_FILES]
