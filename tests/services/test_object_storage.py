"""LanceDB and adapters on S3-compatible storage."""

import asyncio
import shutil
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import ClientError

from agent.engines.adapter_files import digest_of_files
from agent.engines.scripted import Line, ScriptedEngine
from agent.errors import AdapterRefused
from agent.promotion import promote, restore
from memory.adapters.mlflow import ADAPTER_FILES, ADAPTERS, RECORD, SIGNATURE, MlflowAdapterRegistry
from memory.adapters.mlflow_client import create_database
from memory.adapters.store import BucketStore
from memory.embedding.embedder import HashingEmbedder
from memory.episodic.lance import LanceEpisodicMemory
from memory.errors import BadSignature, CorruptRecord, StoreUnavailable
from memory.records.access import EVERYTHING
from memory.records.adapters import Adapter
from memory.signatures import FOLDER as KEYS
from memory.signatures import SigningKeys
from tests.contracts.test_imports import ROOT
from tests.support.adapters import adapter
from tests.support.documents import passage
from tests.support.storage import BUCKET, SECRET, check_credentials, storage

__all__ = ["storage"]
pytestmark = pytest.mark.services

FOLDER = f"s3://{BUCKET}/home/episodic"
SONG = {"What is a borrow?": Line(text="A reference.")}
BASE = {"What is a borrow?": Line(text="a kind of fish")}


async def test_passages_are_stored_found_and_removed(storage: str) -> None:
    writer = await LanceEpisodicMemory.open(FOLDER, HashingEmbedder())
    reader = await LanceEpisodicMemory.open(FOLDER, HashingEmbedder())
    assert await writer.add([passage("A levain is sourdough."), passage("A borrow is a loan.")]) == 2
    for by in ("vector", "text"):
        (hit, *_) = await reader.search("levain", by=by, limit=1, access=EVERYTHING)
        assert hit.passage.text == "A levain is sourdough."
    assert await reader.remove("a.md", domain="rust", keep={hit.passage.id}) == 1
    await reader.purge()
    assert [each.source for each in await writer.documents(access=EVERYTHING)] == ["a.md"]


async def test_two_writers_of_the_same_passages_leave_one_of_each(storage: str) -> None:
    stores = [await LanceEpisodicMemory.open(FOLDER, HashingEmbedder()) for _ in range(2)]
    added = await asyncio.gather(*(store.add([passage("One."), passage("Two.")]) for store in stores))
    assert sum(added) == 2


async def test_a_wrong_credential_or_bucket_is_named_without_the_secret(storage: str) -> None:
    with pytest.raises(StoreUnavailable, match=r"NoSuchBucket.*NIGHTSCHOOL_LIBRARY_URL"):
        await LanceEpisodicMemory.open("s3://elsewhere/home", HashingEmbedder())
    await asyncio.to_thread(check_credentials, storage)
    with pytest.raises(StoreUnavailable, match=r"InvalidAccessKeyId.*AWS_") as raised:
        await LanceEpisodicMemory.open(FOLDER, HashingEmbedder())
    assert SECRET not in str(raised.value)


@pytest.fixture
def registries(storage: str, tmp_path: Path) -> tuple[MlflowAdapterRegistry, MlflowAdapterRegistry]:
    """The worker's and the api's: one database, a home folder for each, and adapters in the bucket."""
    worker, api = tmp_path / "worker", tmp_path / "api"
    SigningKeys(worker / KEYS).make("worker")
    shutil.copytree(worker / KEYS / "public", api / KEYS / "public")
    database = f"sqlite:///{tmp_path / 'mlflow.db'}"
    create_database(tmp_path / "mlflow.db")
    url = f"s3://{BUCKET}/adapters"
    on_worker, on_api = (
        MlflowAdapterRegistry(home, database, store=BucketStore(url, home / ADAPTERS, endpoint=storage))
        for home in (worker, api)
    )
    return on_worker, on_api


def trained(registry: MlflowAdapterRegistry, tmp_path: Path, *, rejected: bool = False) -> Adapter:
    """An adapter as the worker leaves it."""
    made = adapter(rejected=rejected)
    folder = tmp_path / "worker" / ADAPTERS / made.name
    folder.mkdir(parents=True)
    for file in ADAPTER_FILES:
        (folder / file).write_text("{}")
    made = made.model_copy(update={"files": digest_of_files(folder), "path": str(folder)})
    registry.register(made)
    return made


def objects(url: str) -> set[str]:
    found = boto3.client("s3", endpoint_url=url, region_name="us-east-1").list_objects_v2(Bucket=BUCKET)
    return {each["Key"] for each in found.get("Contents", [])}


def tamper(url: str, name: str, file: str, content: bytes | None) -> None:
    """Replaces a file of an adapter in the storage, or removes it."""
    client = boto3.client("s3", endpoint_url=url, region_name="us-east-1")
    client.delete_object(Bucket=BUCKET, Key=f"adapters/{name}/{file}")
    if content is not None:
        client.put_object(Bucket=BUCKET, Key=f"adapters/{name}/{file}", Body=content)


async def test_an_adapter_that_was_trained_on_another_machine_is_checked_and_served(
    registries: tuple[MlflowAdapterRegistry, MlflowAdapterRegistry], tmp_path: Path
) -> None:
    worker, api = registries
    made = trained(worker, tmp_path)
    (listed,) = api.list()
    assert listed.model_copy(update={"path": made.path}) == made
    assert not [*(tmp_path / "api").rglob("*.safetensors")], "only what is loaded is fetched"
    engine = ScriptedEngine(BASE, adapters={made.name: SONG})
    await promote(made.name, engine=engine, registry=api)
    assert await engine.loaded() == (made.name,)
    assert digest_of_files(Path(api.get(made.name).path)) == made.files
    shutil.rmtree(tmp_path / "api" / ADAPTERS)
    engine.restart()
    assert await restore(engine=engine, registry=api) == (made.name,), "a lost copy is fetched again"
    assert worker.get(made.name).status == "live"


async def test_what_learned_something_forgotten_is_deleted_in_the_storage(
    registries: tuple[MlflowAdapterRegistry, MlflowAdapterRegistry], storage: str, tmp_path: Path
) -> None:
    worker, api = registries
    made = trained(worker, tmp_path)
    api.quarantine(made.learned[-1], "forgotten: it was wrong")
    assert worker.erase_forgotten() == (made.name,)
    kept = {key for key in objects(storage) if not key.endswith("/")}  # pyarrow marks the folder
    assert kept == {f"adapters/{made.name}/{file}" for file in (RECORD, SIGNATURE)}
    assert not (Path(made.path) / ADAPTER_FILES[1]).exists()
    assert [listed.name for listed in api.list()] == [made.name]


async def test_what_was_altered_in_the_storage_is_not_served(
    registries: tuple[MlflowAdapterRegistry, MlflowAdapterRegistry], storage: str, tmp_path: Path
) -> None:
    worker, api = registries
    made = trained(worker, tmp_path)
    engine = ScriptedEngine(BASE, adapters={made.name: SONG})
    weights, record, signature = ADAPTER_FILES[1], RECORD, SIGNATURE
    for file, content, error in (
        (weights, b"{ }", AdapterRefused),
        (weights, None, AdapterRefused),
        (record, b"{}", CorruptRecord),
        (record, None, CorruptRecord),
        (signature, b"forged", BadSignature),
        (signature, None, BadSignature),
    ):
        shutil.rmtree(tmp_path / "api" / ADAPTERS, ignore_errors=True)
        tamper(storage, made.name, file, content)
        with pytest.raises(error):
            await promote(made.name, engine=engine, registry=api)
        assert await engine.loaded() == ()
        tamper(storage, made.name, file, (tmp_path / "worker" / ADAPTERS / made.name / file).read_bytes())


def test_the_weights_of_a_rejected_adapter_stay_with_the_worker(
    registries: tuple[MlflowAdapterRegistry, MlflowAdapterRegistry], storage: str, tmp_path: Path
) -> None:
    worker, api = registries
    made = trained(worker, tmp_path, rejected=True)
    assert api.get(made.name).status == "rejected"
    assert objects(storage) == {f"adapters/{made.name}/{file}" for file in (RECORD, SIGNATURE)}


def test_an_adapter_whose_upload_failed_is_in_no_registry(
    registries: tuple[MlflowAdapterRegistry, MlflowAdapterRegistry], storage: str, tmp_path: Path
) -> None:
    worker, api = registries
    check_credentials(storage)
    with pytest.raises(StoreUnavailable, match="NIGHTSCHOOL_ADAPTERS_URL"):
        trained(worker, tmp_path)
    assert api.list() == ()


def test_the_worker_of_compose_reads_writes_and_deletes_adapters_and_no_documents(
    storage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the policy that MinIO's user of the worker has."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    iam, s3 = (boto3.client(name, endpoint_url=storage) for name in ("iam", "s3"))
    s3.create_bucket(Bucket="adapters")
    s3.put_object(Bucket=BUCKET, Key="library/passages", Body=b"a document")
    iam.create_user(UserName="worker")
    policy = (ROOT / "deploy" / "minio-worker.json").read_text()
    iam.put_user_policy(UserName="worker", PolicyName="worker", PolicyDocument=policy)
    key = iam.create_access_key(UserName="worker")["AccessKey"]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])
    check_credentials(storage)
    made = adapter()
    (tmp_path / "worker" / made.name).mkdir(parents=True)
    (tmp_path / "worker" / made.name / RECORD).write_text("{}")
    worker, other = (
        BucketStore("s3://adapters/home", tmp_path / name, endpoint=storage) for name in ("worker", "other")
    )
    worker.publish(made.name, (RECORD,))
    assert [path.name for path in other.fetch(made.name, (RECORD, SIGNATURE)).iterdir()] == [RECORD]
    as_worker = boto3.Session(key["AccessKeyId"], key["SecretAccessKey"]).client("s3", endpoint_url=storage)
    for refused in (
        lambda: as_worker.get_object(Bucket=BUCKET, Key="library/passages"),
        lambda: as_worker.put_object(Bucket=BUCKET, Key="library/passages", Body=b""),
        lambda: as_worker.list_objects_v2(Bucket=BUCKET),
        lambda: as_worker.delete_object(Bucket=BUCKET, Key="library/passages"),
    ):
        with pytest.raises(ClientError, match="AccessDenied"):
            refused()
    worker.delete(made.name, (RECORD,))
    assert not (tmp_path / "worker" / made.name / RECORD).exists()
    assert not (worker.fetch(made.name, (RECORD,)) / RECORD).exists()
