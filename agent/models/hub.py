"""Describes and downloads models from a Hugging Face hub; the URL and token come from `huggingface_hub`."""

from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path

import httpx

from agent.errors import ModelRefused


def describe_model(name: str, patterns: Sequence[str]) -> tuple[int, str]:
    """Total size in bytes of a model's matching files, and its licence. Raises ModelRefused."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    try:
        info = HfApi().model_info(name, files_metadata=True, timeout=20)
    except (httpx.HTTPError, HfHubHTTPError, OfflineModeIsEnabled, OSError, ValueError) as error:
        raise _refused(name, error) from error
    files = [file for file in info.siblings or () if any(fnmatch(file.rfilename, p) for p in patterns)]
    licences = [tag.partition(":")[2] for tag in info.tags or () if tag.startswith("license:")]
    return sum(file.size or 0 for file in files), licences[0] if licences else "as its makers say"


def download_model(name: str, patterns: Sequence[str], folder: Path) -> None:
    """Downloads a model's matching files into `folder`. Raises ModelRefused."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    try:
        snapshot_download(name, allow_patterns=list(patterns), ignore_patterns=["*/*"], local_dir=folder)
    except (httpx.HTTPError, HfHubHTTPError, OfflineModeIsEnabled, OSError) as error:
        raise _refused(name, error) from error


def _refused(name: str, error: Exception) -> ModelRefused:
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return ModelRefused(
        f"{name} cannot be downloaded from the hub ({reason}): check the network, the id and whether its"
        " licence must be accepted, or download it elsewhere and add the folder"
    )
