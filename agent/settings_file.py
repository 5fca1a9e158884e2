"""The settings file: a variable and its value a line, for what the environment does not set."""

import io
import textwrap
from collections.abc import Iterable, MutableMapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

from dotenv import dotenv_values
from pydantic import SecretStr
from pydantic.fields import FieldInfo

NAME = "nightschool.env"
"""Its name in the current folder."""
VARIABLE = "NIGHTSCHOOL_SETTINGS_FILE"
"""Environment variable with its path; empty where its values are in the environment already."""
ELSEWHERE = ("OTEL_", "AWS_")
"""Prefixes of other variables that it may hold: those of the libraries that export traces and reach S3."""
TYPES: dict[Any, str] = {
    str: "text",
    int: "number",
    float: "number",
    bool: "true or false",
    Path: "path",
    SecretStr: "secret",
}


def load(environment: MutableMapping[str, str], known: Iterable[str]) -> None:
    """Adds what the file sets to the environment, so that processes started from this one have it too.

    `known` are the names of our settings. Without a file nothing happens. Raises ValueError for a file that
    cannot be read, or a line that sets nothing we know.
    """
    chosen = environment.get(VARIABLE, NAME)
    if not chosen:
        return
    path = Path(chosen)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        if VARIABLE in environment:
            raise ValueError(f"{VARIABLE}: there is no file {path}: `nightschool init` writes one") from None
        return
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"the settings file {path} cannot be read: {error}") from None
    names = frozenset(known)
    for name, value in dotenv_values(stream=io.StringIO(text), interpolate=False).items():
        if name not in names and not name.startswith(ELSEWHERE):
            raise ValueError(f"{path}: no setting is named {name!r}: see docs/reference/settings.md")
        if value is None:
            raise ValueError(f"{path}: {name} has no value: write {name}=VALUE, or remove the line")
        environment.setdefault(name, value)
    environment[VARIABLE] = ""


def template(prefix: str, fields: dict[str, FieldInfo]) -> str:
    """A settings file in which every setting is explained, and none is set."""
    parts = [
        "# Settings of Nightschool. Remove the `#` before a line to set it; the environment wins.\n"
        "# Commands read this file in the current folder, or that which NIGHTSCHOOL_SETTINGS_FILE names.\n"
    ]
    for name, field in fields.items():
        about = f"{field.description} ({type_text(field.annotation)})"
        lines = textwrap.wrap(about, 100, initial_indent="# ", subsequent_indent="# ")
        parts.append("\n".join([*lines, f"#{prefix}{name.upper()}={default_text(field)}"]) + "\n")
    return "\n".join(parts)


def default_text(field: FieldInfo) -> str:
    """The default as it is written in the environment; empty for none."""
    value = field.default
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def type_text(annotation: Any) -> str:
    """What a setting takes, in words."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return " or ".join(f"`{argument}`" for argument in arguments)
    if origin is Annotated:
        return type_text(arguments[0])
    if arguments:
        return type_text(next(argument for argument in arguments if argument is not type(None)))
    return TYPES[annotation]
