"""Preference pairs and sets refuse what nothing could be trained on."""

from typing import Any

import pytest

from memory.records.adapters import Adapter
from memory.records.feedback import PreferencePair, PreferenceSet
from tests.support.adapters import adapter
from tests.support.preferences import preference, preference_set


def with_changes(**fields: Any) -> PreferencePair:
    return PreferencePair.model_validate(preference().model_dump() | fields)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"chosen": "a", "rejected": "a"}, "the same"),
        ({"chosen": None, "rejected": None}, "missing"),
        ({"chosen": "  "}, "empty"),
        ({"messages": ()}, "last message"),
        ({"messages": ({"role": "assistant", "content": "Hi"},)}, "last message"),
        ({"weight": 1.5}, "less than or equal to 1"),
    ],
)
def test_a_pair_that_prefers_nothing_is_refused(fields: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        with_changes(**fields)


def test_a_set_holds_only_pairs_that_its_algorithm_can_use() -> None:
    liked = preference(rejected=None)
    assert PreferenceSet(domain="general", pairs=(liked,), algorithm="kto").pairs == (liked,)
    with pytest.raises(ValueError, match="an answer that dpo needs"):
        PreferenceSet(domain="general", pairs=(liked,))
    with pytest.raises(ValueError, match="at least one pair"):
        PreferenceSet(domain="general", pairs=())


def test_equal_sets_have_equal_digests() -> None:
    assert preference_set().digest == preference_set().digest
    assert preference_set().digest != preference_set(algorithm="kto").digest


def test_an_adapter_was_trained_on_something() -> None:
    with pytest.raises(ValueError, match="a curriculum or on preferences"):
        Adapter.model_validate(adapter().model_dump() | {"curriculum": None})


def test_an_adapter_of_preferences_has_learned_the_lessons_that_it_started_with() -> None:
    lesson, tastes = "1f" * 32, "2e" * 32
    made = adapter().model_copy(update={"curriculum": None, "rehearsed": (lesson,), "preferences": (tastes,)})
    assert made.learned == (lesson,)
