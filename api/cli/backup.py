"""`nightschool memory backup|restore`: everything in the home folder, as one folder or archive."""

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.shell import BAD_INPUT, FAILED, AsJson, disk_trouble, say, settings, stop

if TYPE_CHECKING:
    from agent.settings import Settings
    from memory.backup.manifest import Manifest
    from memory.backup.state import State


def backup(
    target: Annotated[Path, typer.Argument(help="A new folder, or a new file whose name ends with .tar.gz.")],
    as_json: AsJson = False,
) -> None:
    """Back up all state while the service runs or is stopped. The backup is as secret as the home folder."""
    from memory.backup.backup import back_up

    manifest = _done(back_up(_state(settings()), target.absolute()))
    lines = [f"Backed up to {target}: {_contents(manifest)}."]
    lines += [f"Not in it: {each}." for each in manifest.without]
    say("\n".join(lines), _summary(manifest), as_json=as_json)


def restore(
    source: Annotated[Path, typer.Argument(help="A folder or file that `nightschool memory backup` wrote.")],
    as_json: AsJson = False,
) -> None:
    """Restore a backup into NIGHTSCHOOL_HOME, which must be empty. The service must not run."""
    from memory.backup.restore import restore

    configuration = settings()
    manifest = _done(restore(source.absolute(), _state(configuration)))
    text = f"Restored {_contents(manifest)} of {manifest.created_at:%Y-%m-%d %H:%M} UTC"
    lines = [f"{text} to {configuration.home}."]
    lines += [
        f"Restore it by other means: {each.replace('pg_dump', 'pg_restore')}." for each in manifest.without
    ]
    say("\n".join(lines), _summary(manifest), as_json=as_json)


def _state(configuration: "Settings") -> "State":
    from sqlalchemy.engine import make_url

    from agent.settings import SHARED
    from memory.backup.state import State

    home = configuration.path("")
    urls = [make_url(url) for url in configuration.database_urls]
    databases = [Path(url.database or "") for url in urls if url.get_backend_name() == "sqlite"]
    return State(
        home=home,
        databases=(*databases, home / SHARED / "mlflow.db"),
        lance={name: configuration.library_folder(name) for name in ("episodic", "answers")},
        graph_url=configuration.graph_url,
        elsewhere=tuple(
            what
            for what, url in (
                ("the PostgreSQL database: use pg_dump", configuration.database_url),
                ("the adapter registry at NIGHTSCHOOL_REGISTRY_URL: use pg_dump", configuration.registry_url),
                (
                    "adapters at NIGHTSCHOOL_ADAPTERS_URL that are not in this home folder: copy the bucket",
                    configuration.adapters_url,
                ),
            )
            if url is not None
        ),
    )


def _done(work: "Coroutine[Any, Any, Manifest]") -> "Manifest":
    """The manifest that the work returns; its errors end the command."""
    from memory.errors import StorageError

    try:
        return asyncio.run(work)
    except ValueError as error:
        stop(str(error), BAD_INPUT)
    except StorageError as error:
        stop(str(error), FAILED)
    except OSError as error:
        stop(disk_trouble(error), FAILED)


def _summary(manifest: "Manifest") -> dict[str, Any]:
    """The manifest, with the number of its files in place of their digests."""
    return manifest.model_dump(mode="json") | {"files": len(manifest.files)}


def _contents(manifest: "Manifest") -> str:
    counts = ", ".join(f"{count} {name}" for name, count in manifest.counts.items())
    return f"{len(manifest.files)} files, {counts}"
