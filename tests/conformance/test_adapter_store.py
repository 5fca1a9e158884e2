"""Every store of adapters' files: what one process publishes, the others have whole or not at all."""

from collections.abc import Callable
from pathlib import Path

import boto3
import pytest

from memory.adapters.store import AdapterStore, BucketStore, FolderStore
from memory.errors import CorruptRecord, StoreUnavailable
from tests.support.storage import BUCKET, SECRET, check_credentials, storage

__all__ = ["storage"]

NAME = "lamps-v1-01234567"
WEIGHTS, CONFIG = "adapter_model.safetensors", "adapter_config.json"
CONTENT = {WEIGHTS: bytes(range(256)) * 4096, CONFIG: b"{}"}
Open = Callable[[str], AdapterStore]


@pytest.fixture(params=["folder", pytest.param("bucket", marks=pytest.mark.services)])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    """Opens the store as a process of that name does: on a folder of its own, if they share a storage."""
    if request.param == "folder":
        return lambda process: FolderStore(tmp_path)
    endpoint = request.getfixturevalue("storage")
    return lambda process: bucket(tmp_path / process, endpoint)


def bucket(root: Path, endpoint: str) -> BucketStore:
    return BucketStore(f"s3://{BUCKET}/home/adapters/", root, endpoint=endpoint)


def publish(store: AdapterStore, content: dict[str, bytes] = CONTENT) -> None:
    """Writes the files as the worker does, and publishes them."""
    store.folder(NAME).mkdir(parents=True, exist_ok=True)
    for file, data in content.items():
        (store.folder(NAME) / file).write_bytes(data)
    store.publish(NAME, tuple(content))


def test_what_the_worker_published_the_api_has(opened: Open) -> None:
    publish(opened("worker"))
    folder = opened("api").fetch(NAME, tuple(CONTENT))
    assert {file: (folder / file).read_bytes() for file in CONTENT} == CONTENT
    assert folder == opened("api").folder(NAME)


def test_what_was_not_published_is_missing(opened: Open) -> None:
    assert list(opened("api").fetch(NAME, (CONFIG,)).glob("*")) == []


def test_publishing_again_changes_nothing(opened: Open) -> None:
    publish(opened("worker"))
    publish(opened("worker"))
    assert (opened("api").fetch(NAME, (CONFIG,)) / CONFIG).read_bytes() == CONTENT[CONFIG]


def test_what_is_deleted_is_gone_for_all_and_the_rest_stays(opened: Open) -> None:
    publish(opened("worker"))
    for _ in range(2):
        opened("worker").delete(NAME, (WEIGHTS,))
        assert [path.name for path in opened("worker").folder(NAME).iterdir()] == [CONFIG]
    assert [path.name for path in opened("api").fetch(NAME, tuple(CONTENT)).iterdir()] == [CONFIG]


@pytest.mark.parametrize("name", ["../lamps", "lamps", "", "lamps-v1-01234567/..", "/tmp"])
def test_a_name_that_is_none_leads_nowhere(opened: Open, name: str) -> None:
    for use in (
        opened("api").folder,
        lambda name: opened("api").fetch(name, (CONFIG,)),
        lambda name: opened("api").delete(name, (CONFIG,)),
    ):
        with pytest.raises(CorruptRecord, match="no adapter's name"):
            use(name)


@pytest.mark.services
def test_only_the_files_that_are_needed_are_fetched_and_only_once(storage: str, tmp_path: Path) -> None:
    publish(bucket(tmp_path / "worker", storage))
    api = bucket(tmp_path / "api", storage)
    assert [path.name for path in api.fetch(NAME, (CONFIG,)).iterdir()] == [CONFIG]
    api.fetch(NAME, tuple(CONTENT))
    check_credentials(storage)
    assert (api.fetch(NAME, tuple(CONTENT)) / WEIGHTS).read_bytes() == CONTENT[WEIGHTS]


@pytest.mark.services
def test_a_download_that_broke_off_leaves_nothing_and_is_repeated(
    storage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(bucket(tmp_path / "worker", storage))
    api = bucket(tmp_path / "api", storage)

    def break_off(source: str, from_: object, target: str, to: object) -> None:
        Path(target).write_bytes(CONTENT[WEIGHTS][:1000])
        raise OSError("curlCode: 18, Transferred a partial file")

    with monkeypatch.context() as broken:
        broken.setattr(api, "_copy", break_off)
        with pytest.raises(StoreUnavailable, match="partial file"):
            api.fetch(NAME, (WEIGHTS,))
    assert list(api.folder(NAME).iterdir()) == []
    assert (api.fetch(NAME, (WEIGHTS,)) / WEIGHTS).read_bytes() == CONTENT[WEIGHTS]


@pytest.mark.services
def test_an_upload_that_broke_off_is_not_there(storage: str, tmp_path: Path) -> None:
    worker = bucket(tmp_path / "worker", storage)
    with pytest.raises(FileNotFoundError):
        worker.publish(NAME, (WEIGHTS,))
    client = boto3.client("s3", endpoint_url=storage, region_name="us-east-1")
    assert client.list_objects_v2(Bucket=BUCKET)["KeyCount"] == 0


@pytest.mark.services
def test_a_storage_that_refuses_is_named_without_the_secret(storage: str, tmp_path: Path) -> None:
    worker = bucket(tmp_path / "worker", storage)
    publish(worker)
    elsewhere = BucketStore("s3://elsewhere/home", tmp_path / "worker", endpoint=storage)
    with pytest.raises(StoreUnavailable, match=r"NO_SUCH_BUCKET.*NIGHTSCHOOL_ADAPTERS_URL"):
        elsewhere.publish(NAME, (WEIGHTS,))
    check_credentials(storage)
    for use in (
        lambda: worker.publish(NAME, (WEIGHTS,)),
        lambda: bucket(tmp_path / "api", storage).fetch(NAME, (WEIGHTS,)),
    ):
        with pytest.raises(StoreUnavailable, match="AWS_ variables") as raised:
            use()
        assert SECRET not in str(raised.value)
        assert raised.value.part == "the storage of adapters"
