"""An S3-compatible storage: a moto server on loopback, which also checks credentials when told to."""

from collections.abc import Iterator

import boto3
import httpx
import pytest
from moto.server import ThreadedMotoServer

BUCKET = "library"
SECRET = "sekrit-access-key"


@pytest.fixture
def storage(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A storage with an empty bucket, named by the environment."""
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
    httpx.post(f"{url}/moto-api/reset")
    boto3.client("s3", endpoint_url=url, region_name="us-east-1").create_bucket(Bucket=BUCKET)
    yield url
    httpx.post(f"{url}/moto-api/reset-auth", json=1_000_000)
    server.stop()


def check_credentials(url: str) -> None:
    """From now on the storage checks credentials. It knows none but those that were made by its IAM."""
    httpx.post(f"{url}/moto-api/reset-auth", json=0)
