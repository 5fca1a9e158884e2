"""What every adapter registry does: one live version per domain, a way back, and rejected ones never live."""

from pathlib import Path
from typing import Any, cast

import pytest

from memory.adapters.base import AdapterRegistry
from memory.adapters.mlflow import ADAPTER_FILES, MlflowAdapterRegistry
from memory.adapters.volatile import VolatileAdapterRegistry
from memory.errors import AdapterNotServable, UnknownAdapter
from memory.records.adapters import Adapter
from memory.records.base import Digest, digest_of
from tests.support.adapters import adapter
from tests.support.cards import DIGEST
from tests.support.databases import new_postgresql, postgresql

__all__ = ["postgresql"]

OTHER_BASE = "cd" * 32
ON_MLFLOW = ("mlflow", "mlflow on PostgreSQL")


@pytest.fixture(scope="module")
def mlflow_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home folder shared by the tests: creating MLflow's tables takes seconds."""
    home = tmp_path_factory.mktemp("home")
    MlflowAdapterRegistry(home)
    return home


@pytest.fixture(scope="module")
def mlflow_on_postgresql(tmp_path_factory: pytest.TempPathFactory, postgresql: Any) -> tuple[Path, str]:
    home, url = tmp_path_factory.mktemp("home"), new_postgresql(postgresql)
    MlflowAdapterRegistry(home, url)
    return home, url


@pytest.fixture(params=["volatile", *(pytest.param(kind, marks=pytest.mark.services) for kind in ON_MLFLOW)])
def registry(request: pytest.FixtureRequest) -> AdapterRegistry:
    if request.param == "volatile":
        return VolatileAdapterRegistry()
    if request.param == "mlflow":
        return MlflowAdapterRegistry(request.getfixturevalue("mlflow_home"))
    return MlflowAdapterRegistry(*request.getfixturevalue("mlflow_on_postgresql"))


@pytest.fixture
def domain(request: pytest.FixtureRequest) -> str:
    """A domain of its own for each test."""
    return digest_of(request.node.name)[:16]


def lesson(domain: str, version: int) -> Digest:
    """The digest of the curriculum that this version learned."""
    return digest_of([domain, version])


def add(
    registry: AdapterRegistry, domain: str, version: int = 1, *, rejected: bool = False, **fields: object
) -> Adapter:
    """Registers an adapter with its weights, as the worker does; `fields` replace those of its record."""
    made = adapter(domain, version, rejected=rejected, digest=lesson(domain, version)).model_copy(
        update=fields
    )
    if isinstance(registry, MlflowAdapterRegistry):
        folder = registry._home / "adapters" / made.name
        folder.mkdir(parents=True, exist_ok=True)
        for file in ADAPTER_FILES:
            (folder / file).write_text("weights")
    cast(VolatileAdapterRegistry | MlflowAdapterRegistry, registry).register(made)
    return made


def statuses(registry: AdapterRegistry, domain: str) -> list[str]:
    """By version."""
    return [listed.status for listed in registry.list(domain)]


def name_of(found: Adapter | None) -> str | None:
    return found.name if found is not None else None


def test_what_was_registered_reads_back(registry: AdapterRegistry, domain: str) -> None:
    made = add(registry, domain)
    found = registry.get(made.name)
    assert found.model_copy(update={"path": made.path}) == made


def test_registering_the_same_name_twice_keeps_one_version(registry: AdapterRegistry, domain: str) -> None:
    made = add(registry, domain)
    add(registry, domain)
    assert [found.name for found in registry.list(domain)] == [made.name]


def test_only_candidates_and_rejected_adapters_can_be_registered(
    registry: AdapterRegistry, domain: str
) -> None:
    live = adapter(domain).model_copy(update={"status": "live"})
    with pytest.raises(ValueError, match="candidate or rejected"):
        cast(VolatileAdapterRegistry, registry).register(live)
    assert registry.list(domain) == ()


def test_a_list_is_ordered_by_domain_and_version(registry: AdapterRegistry, domain: str) -> None:
    other = f"z{domain[1:]}"
    third, second, first = (add(registry, *which).name for which in ((other, 1), (domain, 2), (domain, 1)))
    assert [found.name for found in registry.list(domain)] == [first, second]
    everything = [found.name for found in registry.list() if found.domain in (domain, other)]
    assert everything == [first, second, third]


@pytest.mark.parametrize("name", ["lamps-v9-00000000", "no such name", "x' or '1'='1"])
def test_an_unknown_name_is_an_unknown_adapter(registry: AdapterRegistry, name: str) -> None:
    with pytest.raises(UnknownAdapter):
        registry.get(name)
    with pytest.raises(UnknownAdapter):
        registry.promote(name)


def test_nothing_is_live_until_it_is_promoted(registry: AdapterRegistry, domain: str) -> None:
    add(registry, domain)
    assert registry.live(domain) is None
    assert registry.previous(domain) is None
    assert statuses(registry, domain) == ["candidate"]


def test_promotion_retires_the_previous_version_and_rollback_restores_it(
    registry: AdapterRegistry, domain: str
) -> None:
    first, second = add(registry, domain, 1), add(registry, domain, 2)
    registry.promote(first.name)
    registry.promote(second.name)
    assert statuses(registry, domain) == ["retired", "live"]
    assert name_of(registry.previous(domain)) == first.name
    back = registry.rollback(domain)
    assert back is not None
    assert (back.name, back.status) == (first.name, "live")
    assert statuses(registry, domain) == ["live", "retired"]
    assert name_of(registry.live(domain)) == first.name


def test_what_was_once_live_is_no_candidate_again(registry: AdapterRegistry, domain: str) -> None:
    names = [add(registry, domain, version).name for version in (1, 2, 3)]
    registry.promote(names[0])
    registry.promote(names[1])
    registry.rollback(domain)
    registry.promote(names[2])  # which leaves no way back to the second
    assert statuses(registry, domain) == ["retired", "retired", "live"]


def test_rollback_past_the_first_version_is_the_base_model(registry: AdapterRegistry, domain: str) -> None:
    made = add(registry, domain)
    registry.promote(made.name)
    assert registry.rollback(domain) is None
    assert registry.live(domain) is None
    assert registry.rollback(domain) is None


def test_promoting_the_live_version_again_changes_nothing(registry: AdapterRegistry, domain: str) -> None:
    made = add(registry, domain)
    registry.promote(made.name)
    registry.promote(made.name)
    assert registry.rollback(domain) is None


def test_rollback_goes_back_in_the_order_of_promotion_not_of_numbers(
    registry: AdapterRegistry, domain: str
) -> None:
    names = [add(registry, domain, version).name for version in (1, 2, 3)]
    for name in (names[2], names[0], names[1]):
        registry.promote(name)
    assert [name_of(registry.rollback(domain)) for _ in range(3)] == [names[0], names[2], None]


def test_rollbacks_reach_the_base_model_though_a_version_was_promoted_twice(
    registry: AdapterRegistry, domain: str
) -> None:
    first, second = add(registry, domain, 1).name, add(registry, domain, 2).name
    for name in (first, second, first):
        registry.promote(name)
    assert [name_of(registry.rollback(domain)) for _ in range(2)] == [second, None]


def test_a_version_that_was_rolled_back_is_not_what_the_next_rollback_returns_to(
    registry: AdapterRegistry, domain: str
) -> None:
    names = [add(registry, domain, version).name for version in (1, 2, 3)]
    registry.promote(names[0])
    registry.promote(names[1])
    registry.rollback(domain)
    registry.promote(names[2])
    assert name_of(registry.rollback(domain)) == names[0]


def test_a_retired_domain_is_served_by_the_base_model_and_can_be_promoted_again(
    registry: AdapterRegistry, domain: str
) -> None:
    made = add(registry, domain)
    registry.retire(domain)
    registry.promote(made.name)
    registry.retire(domain)
    assert (registry.live(domain), registry.previous(domain)) == (None, None)
    assert statuses(registry, domain) == ["retired"]
    registry.promote(made.name)
    assert name_of(registry.live(domain)) == made.name


def test_domains_are_promoted_apart(registry: AdapterRegistry, domain: str) -> None:
    other = f"z{domain[1:]}"
    here, there = add(registry, domain), add(registry, other)
    registry.promote(here.name)
    registry.promote(there.name)
    registry.rollback(domain)
    assert (registry.live(domain), name_of(registry.live(other))) == (None, there.name)


def test_a_rejected_adapter_is_never_promoted_and_the_error_gives_the_reason(
    registry: AdapterRegistry, domain: str
) -> None:
    made = add(registry, domain, rejected=True)
    with pytest.raises(AdapterNotServable, match="target up"):
        registry.promote(made.name)
    assert registry.live(domain) is None
    assert statuses(registry, domain) == ["rejected"]


def test_an_adapter_of_another_base_model_does_not_go_live(registry: AdapterRegistry, domain: str) -> None:
    made = add(registry, domain)
    registry.base = OTHER_BASE
    with pytest.raises(AdapterNotServable, match="another base model"):
        registry.promote(made.name)
    registry.base = DIGEST
    registry.promote(made.name)
    assert name_of(registry.live(domain)) == made.name


def on_both_bases(registry: AdapterRegistry, domain: str) -> tuple[str, str]:
    """An adapter live on each of two base models; the served base is then the first."""
    first = add(registry, domain, 1).name
    other = add(registry, domain, 2, base_digest=OTHER_BASE).name
    for base, name in ((DIGEST, first), (OTHER_BASE, other), (DIGEST, first)):
        registry.base = base
        registry.promote(name)
    return first, other


def test_each_base_model_has_its_own_live_adapter(registry: AdapterRegistry, domain: str) -> None:
    first, other = on_both_bases(registry, domain)
    for base, name in ((DIGEST, first), (OTHER_BASE, other)):
        registry.base = base
        assert name_of(registry.live(domain)) == registry.live_names()[domain] == name
    registry.base = "ef" * 32
    assert (registry.live(domain), registry.previous(domain)) == (None, None)
    assert domain not in registry.live_names()


def test_what_is_live_on_another_base_counts_as_retired(registry: AdapterRegistry, domain: str) -> None:
    on_both_bases(registry, domain)
    assert statuses(registry, domain) == ["live", "retired"]
    registry.base = OTHER_BASE
    assert statuses(registry, domain) == ["retired", "live"]
    registry.base = None
    assert statuses(registry, domain) == ["live", "live"]


def test_of_an_unknown_base_the_newest_live_adapter_counts(registry: AdapterRegistry, domain: str) -> None:
    first, other = on_both_bases(registry, domain)
    registry.base = None
    assert name_of(registry.live(domain)) == registry.live_names()[domain] == other
    registry.retire(domain)
    assert name_of(registry.live(domain)) == registry.live_names()[domain] == first


def test_a_rollback_on_one_base_leaves_the_other_and_never_reaches_it(
    registry: AdapterRegistry, domain: str
) -> None:
    first, other = on_both_bases(registry, domain)
    third = add(registry, domain, 3).name
    registry.promote(third)
    assert name_of(registry.previous(domain)) == first
    assert name_of(registry.rollback(domain)) == first
    assert registry.rollback(domain) is None, "the adapter of the other base is no way back"
    registry.base = OTHER_BASE
    assert name_of(registry.live(domain)) == other
    assert registry.previous(domain) is None


def test_a_domain_is_retired_on_one_base_only(registry: AdapterRegistry, domain: str) -> None:
    first, _ = on_both_bases(registry, domain)
    registry.base = OTHER_BASE
    registry.retire(domain)
    assert registry.live(domain) is None
    registry.base = DIGEST
    assert name_of(registry.live(domain)) == first


def test_a_curriculum_in_quarantine_says_why(registry: AdapterRegistry, domain: str) -> None:
    registry.quarantine(lesson(domain, 1), "known facts were lost")
    assert registry.quarantined(lesson(domain, 1)) == "known facts were lost"
    assert registry.quarantined(lesson(domain, 2)) is None


def test_quarantine_for_one_base_model_leaves_the_others(registry: AdapterRegistry, domain: str) -> None:
    registry.quarantine(lesson(domain, 1), "known facts were lost", base=DIGEST)
    registry.base = OTHER_BASE
    assert registry.quarantined(lesson(domain, 1)) is None
    for base in (DIGEST, None):  # None: any base model may be served
        registry.base = base
        assert registry.quarantined(lesson(domain, 1)) == "known facts were lost"


def test_what_learned_a_curriculum_in_quarantine_neither_goes_live_nor_is_rolled_back_to(
    registry: AdapterRegistry, domain: str
) -> None:
    names = [add(registry, domain, version).name for version in (1, 2, 3)]
    for name in names:
        registry.promote(name)
    registry.quarantine(lesson(domain, 2), "a person withdrew it")
    assert name_of(registry.previous(domain)) == names[0]
    assert name_of(registry.rollback(domain)) == names[0]
    with pytest.raises(AdapterNotServable, match="a person withdrew it"):
        registry.promote(names[1])


def test_what_was_trained_on_preferences_in_quarantine_does_not_go_live(
    registry: AdapterRegistry, domain: str
) -> None:
    made = add(registry, domain, 1, curriculum=None, preferences=(lesson(domain, 7), lesson(domain, 8)))
    assert registry.get(made.name).preferences == (lesson(domain, 7), lesson(domain, 8))
    registry.quarantine(lesson(domain, 7), "the week was poisoned")
    with pytest.raises(AdapterNotServable, match="the week was poisoned"):
        registry.promote(made.name)


def test_the_live_names_follow_promotion_rollback_and_retirement(
    registry: AdapterRegistry, domain: str
) -> None:
    first, second = add(registry, domain, 1), add(registry, domain, 2)
    assert domain not in registry.live_names()
    registry.promote(first.name)
    registry.promote(second.name)
    assert registry.live_names()[domain] == second.name
    registry.rollback(domain)
    assert registry.live_names()[domain] == first.name
    registry.retire(domain)
    assert domain not in registry.live_names()
