"""LanceDB on S3-compatible storage: a moto server on loopback, which also checks credentials when told to."""

import asyncio
from collections.abc import Iterator

import boto3
import httpx
import pytest
from moto.server import ThreadedMotoServer

from memory.embedding.embedder import HashingEmbedder
from memory.episodic.lance import LanceEpisodicMemory
from memory.errors import StoreUnavailable
from memory.records.access import EVERYTHING
from tests.support.documents import passage

pytestmark = pytest.mark.services

SECRET = "sekrit-access-key"
FOLDER = "s3://library/home/episodic"


@pytest.fixture
def storage(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A storage with the bucket `library`, named by the environment."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    url = "http://{}:{}".format(*server.get_host_and_port())
    for name, value in {
        "AWS_ENDPOINT_URL": url,
        "AWS_ALLOW_HTTP": "true",
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "library",
        "AWS_SECRET_ACCESS_KEY": SECRET,
    }.items():
        monkeypatch.setenv(name, value)
    boto3.client("s3", endpoint_url=url, region_name="us-east-1").create_bucket(Bucket="library")
    yield url
    httpx.post(f"{url}/moto-api/reset-auth", json=1_000_000)
    server.stop()


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
    await asyncio.to_thread(httpx.post, f"{storage}/moto-api/reset-auth", json=0)
    with pytest.raises(StoreUnavailable, match=r"InvalidAccessKeyId.*AWS_") as raised:
        await LanceEpisodicMemory.open(FOLDER, HashingEmbedder())
    assert SECRET not in str(raised.value)
