"""`nightschool init`: writes a settings file in which every setting is explained."""

import os
from pathlib import Path
from typing import Annotated

import typer

from api.cli.shell import BAD_INPUT, FAILED, console, disk_trouble, stop


def init(
    file: Annotated[Path, typer.Argument(help="Where to write it.")] = Path("nightschool.env"),
) -> None:
    """Write a settings file with every setting and its default, none of them set."""
    from agent.settings import PREFIX, Settings
    from agent.settings_file import template

    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)  # it may get secrets
    except FileExistsError:
        stop(f"{file} exists already: remove it first, or name another file", BAD_INPUT)
    except OSError as error:
        stop(disk_trouble(error), FAILED)
    with open(descriptor, "w", encoding="utf-8") as opened:  # noqa: PTH123 - a descriptor
        opened.write(template(PREFIX, Settings.model_fields))
    console().print(
        f"{file} is written: edit it, then start the service with `nightschool up`.", markup=False
    )
