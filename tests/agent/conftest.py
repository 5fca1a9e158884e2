"""Fixtures of the step tests: both adapter registries, the real one once a session as it opens slowly."""

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from memory.adapters.mlflow import ADAPTER_FILES, MlflowAdapterRegistry
from memory.adapters.volatile import VolatileAdapterRegistry
from memory.outbox.files import publish
from memory.records.adapters import Adapter
from memory.records.curricula import Curriculum
from tests.support.adapters import adapter

AnyRegistry = VolatileAdapterRegistry | MlflowAdapterRegistry


@pytest.fixture(scope="session")
def registry_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("registry")


@pytest.fixture(scope="session", params=["volatile", pytest.param("mlflow", marks=pytest.mark.services)])
def registry(request: pytest.FixtureRequest, registry_home: Path) -> AnyRegistry:
    return VolatileAdapterRegistry() if request.param == "volatile" else MlflowAdapterRegistry(registry_home)


@pytest.fixture(scope="session")
def numbers() -> Iterator[int]:
    return count(1)


@pytest.fixture
def domain(numbers: Iterator[int]) -> str:
    """A domain of the test's own in the shared registry."""
    return f"domain{next(numbers)}"


@pytest.fixture
def trained(registry: AnyRegistry, registry_home: Path, domain: str) -> Callable[..., Adapter]:
    """Registers a candidate (or rejected) adapter with its published curriculum."""

    def build(curriculum: Curriculum, *, version: int = 1, rejected: bool = False) -> Adapter:
        digest = publish(registry_home / "outbox", curriculum)
        made = adapter(domain, version, rejected=rejected, digest=digest)
        folder = registry_home / "adapters" / made.name
        folder.mkdir(parents=True)
        for name in ADAPTER_FILES:
            (folder / name).write_text("{}")
        registry.register(made)
        return registry.get(made.name)

    return build
