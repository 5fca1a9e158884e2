"""Exports an adapter into a new folder, with a README that says what it is and how it was measured."""

import shutil
import tempfile
from pathlib import Path
from typing import Literal

from agent.engines.adapter_files import CONFIG, WEIGHTS, base_shapes, digest_of_files, inspect_adapter
from agent.exports.modelfile import modelfile
from agent.exports.readme import readme
from agent.models.store import AddedModel
from memory.adapters.base import AdapterRegistry, promotion_blocker
from memory.errors import AdapterNotServable
from memory.records.adapters import Adapter

Format = Literal["peft", "merged", "ollama"]
MODELFILE = "Modelfile"


def export_adapter(
    name: str, format: Format, target: Path, *, registry: AdapterRegistry, base: AddedModel
) -> Adapter:
    """Writes the adapter into `target`, a new or empty folder, where it appears whole or not at all.

    `base` is the base model in use. Raises UnknownAdapter, CorruptRecord, StoreUnavailable,
    AdapterNotServable for an adapter that must not go live, AdapterRefused for damaged files,
    EngineUnavailable for a base without weights, ValueError for a target that is not empty, and OSError.
    """
    adapter, source = exportable(name, registry)
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise ValueError(f"{target} is not an empty folder: name another one, or empty it")
    target.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        _write(adapter, source, format, part, base)
        (part / "README.md").write_text(readme(adapter, base.card, format), encoding="utf-8")
        part.rename(target)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return adapter


def exportable(name: str, registry: AdapterRegistry) -> tuple[Adapter, Path]:
    """The adapter and its folder, if it may leave the service: not rejected, not forgotten, and with the
    files that were evaluated. Raises UnknownAdapter, CorruptRecord, AdapterNotServable, AdapterRefused."""
    adapter = registry.get(name)
    if adapter.status == "rejected":
        reasons = "; ".join(adapter.verdict.reasons) or "no reason was recorded"
        raise AdapterNotServable(f"{name} was rejected and is not exported: {reasons}")
    if (blocker := promotion_blocker(adapter, registry)) is not None:
        raise AdapterNotServable(blocker)
    folder = registry.fetch(name)
    if adapter.files not in (None, digest_of_files(folder)):
        raise AdapterNotServable(
            f"the files of {name} were changed after its evaluation: restore {folder} from a copy"
        )
    return adapter, folder


def _write(adapter: Adapter, source: Path, format: Format, folder: Path, base: AddedModel) -> None:
    if format == "peft":
        for file in (CONFIG, WEIGHTS):
            shutil.copyfile(source / file, folder / file)
        return
    inspect_adapter(source, base=base_shapes(base.folder))
    from agent.exports.merging import merge  # imports torch, which a PEFT folder does not need

    merge(source, base, folder)
    if format == "ollama":
        (folder / MODELFILE).write_text(modelfile(adapter, base.card), encoding="utf-8")
