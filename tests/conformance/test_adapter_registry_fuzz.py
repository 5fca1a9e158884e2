"""Any sequence of promotions, rollbacks and quarantines: one live version, never one that must not be served.

The MLflow registry has to do what the one in RAM does; `make fuzz` runs it longer.
"""

import uuid
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from memory.adapters.base import AdapterRegistry, promotion_blocker
from memory.adapters.mlflow import MlflowAdapterRegistry
from memory.adapters.volatile import VolatileAdapterRegistry
from memory.errors import AdapterNotServable
from memory.records.adapters import Adapter
from tests.conformance.test_adapter_registry import add, lesson

PICK = st.integers(0, 9)


class RegistryMachine(RuleBasedStateMachine):
    """One domain in each registry."""

    def __init__(self, registries: list[AdapterRegistry]) -> None:
        super().__init__()
        self.registries = registries
        self.domain = uuid.uuid4().hex[:16]
        self.adapters: list[Adapter] = []
        self.promoted: set[str] = set()
        self.quarantined: set[str] = set()

    def pick(self, number: int) -> Adapter:
        return self.adapters[number % len(self.adapters)]

    def live(self) -> Adapter | None:
        return self.registries[0].live(self.domain)

    @precondition(lambda self: len(self.adapters) < 6)
    @rule(rejected=st.booleans())
    def register(self, rejected: bool) -> None:
        version = len(self.adapters) + 1
        made = [add(each, self.domain, version, rejected=rejected) for each in self.registries]
        self.adapters.append(made[0])

    @precondition(lambda self: self.adapters)
    @rule(number=PICK)
    def promote(self, number: int) -> None:
        adapter = self.pick(number)
        refused = not adapter.verdict.passed or adapter.curriculum in self.quarantined
        for registry in self.registries:
            if refused:
                before = registry.live(self.domain)
                with pytest.raises(AdapterNotServable):
                    registry.promote(adapter.name)
                assert registry.live(self.domain) == before
            else:
                registry.promote(adapter.name)
                assert registry.live_names()[self.domain] == adapter.name
                self.promoted.add(adapter.name)

    @rule()
    def roll_back(self) -> None:
        for registry in self.registries:
            live, expected = registry.live(self.domain), registry.previous(self.domain)
            previous = registry.rollback(self.domain)
            assert (previous and previous.name) == (expected and expected.name)
            assert registry.live(self.domain) == previous
            if previous is not None:
                assert promotion_blocker(previous, registry) is None
                assert previous.name in self.promoted
                assert live is not None
                assert previous.name != live.name

    @rule()
    def retire(self) -> None:
        for registry in self.registries:
            registry.retire(self.domain)
            assert registry.live(self.domain) is None

    @precondition(lambda self: self.adapters)
    @rule(number=PICK)
    def quarantine(self, number: int) -> None:
        version = number % len(self.adapters) + 1
        self.quarantined.add(lesson(self.domain, version))
        for registry in self.registries:
            registry.quarantine(lesson(self.domain, version), "it was wrong")

    @invariant()
    def statuses_follow_from_what_was_done(self) -> None:
        for registry in self.registries:
            live = registry.live(self.domain)
            for adapter in registry.list(self.domain):
                if not adapter.verdict.passed:
                    assert adapter.status == "rejected"
                elif live is not None and adapter.name == live.name:
                    assert adapter.status == "live"
                elif adapter.name not in self.promoted:
                    assert adapter.status == "candidate"
                else:
                    assert adapter.status == "retired"
            assert live is None or live.name in self.promoted

    @invariant()
    def the_registries_agree(self) -> None:
        seen = [
            [(adapter.name, adapter.status) for adapter in registry.list(self.domain)]
            + [(each.name, "previous") for each in (registry.previous(self.domain),) if each is not None]
            for registry in self.registries
        ]
        assert all(each == seen[0] for each in seen)


def explore(registries: list[AdapterRegistry], examples: int, more: int) -> None:
    run_state_machine_as_test(
        lambda: RegistryMachine(registries),
        settings=settings(
            max_examples=more if settings.get_current_profile_name() == "fuzz" else examples,
            stateful_step_count=15,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_any_sequence_leaves_one_live_adapter_that_may_be_served() -> None:
    explore([VolatileAdapterRegistry()], 60, 5000)


@pytest.mark.services
@pytest.mark.slow
def test_mlflow_does_what_the_registry_in_ram_does(tmp_path: Path) -> None:
    explore([VolatileAdapterRegistry(), MlflowAdapterRegistry(tmp_path)], 4, 100)
