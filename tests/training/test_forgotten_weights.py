"""The worker deletes forgotten weights now and then, and outlives what fails."""

from typing import cast

from memory.adapters.mlflow import MlflowAdapterRegistry
from memory.errors import StoreUnavailable
from training.forgotten_weights import SECONDS, ForgottenWeights


class Registry:
    """Has something to erase at each look, unless it is down."""

    def __init__(self) -> None:
        self.looks = 0
        self.down = False

    def erase_forgotten(self) -> tuple[str, ...]:
        self.looks += 1
        if self.down:
            raise StoreUnavailable("the registry is away")
        return (f"lamps-v{self.looks}-01234567",)


def test_it_looks_once_a_minute_and_says_what_it_deleted() -> None:
    registry, said, now = Registry(), list[str](), [0.0]
    weights = ForgottenWeights(cast(MlflowAdapterRegistry, registry), said.append, lambda: now[0])
    for seconds in (0.0, SECONDS / 2, SECONDS, SECONDS * 1.5):
        now[0] = seconds
        weights.erase_if_due()
    assert registry.looks == 2
    assert [line.split()[0] for line in said] == ["lamps-v1-01234567", "lamps-v2-01234567"]


def test_what_fails_is_tried_again() -> None:
    registry, said, now = Registry(), list[str](), [0.0]
    weights = ForgottenWeights(cast(MlflowAdapterRegistry, registry), said.append, lambda: now[0])
    registry.down = True
    weights.erase_if_due()
    registry.down, now[0] = False, SECONDS
    weights.erase_if_due()
    assert len(said) == 1
