"""`nightschool adapters export`: an adapter as files for other programs; needs no running service."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from api.cli.shell import BAD_INPUT, FAILED, AsJson, disk_trouble, say, settings, stop

NO_GGUF = (
    "GGUF is not written here, because llama.cpp's converter is in no package: export `--format merged`, and"
    " run `python convert_hf_to_gguf.py TARGET` from https://github.com/ggml-org/llama.cpp on it"
)


def export(
    name: Annotated[str, typer.Argument(help="Full name of an adapter, such as rust-v3-1f9c2a7e.")],
    target: Annotated[Path, typer.Argument(help="New or empty folder to write into.")],
    format: Annotated[
        Literal["peft", "merged", "gguf", "ollama"],
        typer.Option(
            help="`peft`: the adapter alone. `merged`: base model and adapter as one model. `ollama`: the"
            " same with a Modelfile. `gguf`: says how to convert a merged model, which needs llama.cpp."
        ),
    ] = "peft",
    as_json: AsJson = False,
) -> None:
    """Write an adapter into a folder, with its card; reads the registry in the home folder.

    Rejected adapters, and those that learned something forgotten or quarantined, are refused."""
    if format == "gguf":
        stop(NO_GGUF, BAD_INPUT)
    from agent.errors import AgentError
    from agent.exports.export import export_adapter
    from agent.models.store import resolve_model
    from agent.registry import open_registry
    from memory.adapters.mlflow import DATABASE
    from memory.errors import StorageError, StoreUnavailable

    configuration = settings()
    if configuration.registry_url is None and not configuration.path(DATABASE).is_file():
        stop(f"nothing was learned in {configuration.home.resolve()}: set NIGHTSCHOOL_HOME", BAD_INPUT)
    try:
        base = resolve_model(configuration)
        registry = open_registry(configuration, base.card.digest)
        export_adapter(name, format, target, registry=registry, base=base)
    except StoreUnavailable as error:
        stop(str(error), FAILED)
    except (AgentError, StorageError, ValueError) as error:
        stop(str(error), BAD_INPUT)
    except OSError as error:
        stop(disk_trouble(error), FAILED)
    done = f"{name} was exported to {target}: see {target / 'README.md'}"
    say(done, {"adapter": name, "folder": str(target), "format": format}, as_json=as_json)
