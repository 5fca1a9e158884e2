"""The operator's list of domains: which are trusted, which are blocked, and how much the others count."""

import tomllib
from pathlib import Path
from typing import Annotated

import httpx
from pydantic import Field, ValidationError

from memory.errors import IngestError
from memory.records.base import Record, Share

DEFAULT_TRUST = 0.5
"""Of a domain that is not listed: two of them agree about as well as one that is trusted."""

Name = Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[^\s/:@]+$")]


class DomainList(Record):
    """Trust in domains, between 0 and 1. A domain stands for all hosts below it; the longest one counts."""

    trusted: tuple[Name, ...] = ()
    """Trust 1."""
    blocked: tuple[Name, ...] = ()
    """Trust 0: nothing is fetched from them, and nothing is learned that was."""
    weights: dict[Name, Share] = {}
    default: Share = DEFAULT_TRUST

    def trust(self, host: str) -> float:
        """The trust in what a host publishes."""
        listed = dict.fromkeys(map(_ascii, self.trusted), 1.0)
        listed |= {_ascii(name): weight for name, weight in self.weights.items()}
        listed |= dict.fromkeys(map(_ascii, self.blocked), 0.0)
        labels = _ascii(host).split(".")
        names = [".".join(labels[start:]) for start in range(len(labels))]
        return next((listed[name] for name in names if name in listed), self.default)

    def require(self, host: str) -> None:
        """Raises IngestError for a host without any trust."""
        if not self.trust(host):
            raise IngestError(f"{host} is blocked by the list of domains")


def read_domain_list(path: Path) -> DomainList:
    """Reads a TOML file with `trusted`, `blocked`, `weights` and `default`. Raises ValueError."""
    try:
        return DomainList.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise ValueError(f"NIGHTSCHOOL_SEARCH_DOMAINS: {path} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"NIGHTSCHOOL_SEARCH_DOMAINS: {path} is not TOML: {error}") from None
    except ValidationError as error:
        where = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise ValueError(f"NIGHTSCHOOL_SEARCH_DOMAINS: {path}: {where}") from None


def _ascii(name: str) -> str:
    """The name as it is sent: in lower case, with other letters than ASCII as Punycode."""
    try:
        return httpx.URL(f"http://{name.strip('.').lower()}").raw_host.decode("ascii")
    except httpx.InvalidURL:
        return name.lower()
