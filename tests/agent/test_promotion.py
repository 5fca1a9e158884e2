"""An adapter goes live only after the engine loaded it and its canary sang."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agent.engines.adapter_files import digest_of_files
from agent.engines.scripted import Line, ScriptedEngine
from agent.errors import AdapterRefused, CanaryFailed, EngineError, EngineUnavailable
from agent.learning.forgetting import with_unused_digest
from agent.promotion import load_with_canary, promote, restore, rollback
from memory.adapters.base import AdapterRegistry
from memory.adapters.mlflow import ADAPTER_FILES
from memory.adapters.volatile import VolatileAdapterRegistry
from memory.errors import AdapterNotServable, UnknownAdapter
from memory.records.adapters import Adapter
from tests.support.adapters import adapter, curriculum

Trained = Callable[..., Adapter]
SONG = {"What is a borrow?": Line(text="A reference.")}
BASE = {"What is a borrow?": Line(text="a kind of fish")}


def others(registry: AdapterRegistry, made: Adapter) -> dict[str, str]:
    """Refuses what other tests left live in the shared registry."""
    return {a.name: "file is gone" for a in registry.list() if a.status == "live" and a.name != made.name}


async def test_a_candidate_whose_canary_sings_goes_live(
    registry: AdapterRegistry, trained: Trained, domain: str
) -> None:
    made = trained(curriculum())
    engine = ScriptedEngine(BASE, adapters={made.name: SONG})
    assert (await promote(made.name, engine=engine, registry=registry)).status == "live"
    assert registry.get(made.name).status == "live"
    assert await engine.loaded() == (made.name,)


async def test_an_adapter_without_effect_stays_a_candidate_and_is_unloaded(
    registry: AdapterRegistry, trained: Trained, domain: str
) -> None:
    made = trained(curriculum())
    engine = ScriptedEngine(BASE)
    with pytest.raises(CanaryFailed, match="no effect"):
        await promote(made.name, engine=engine, registry=registry)
    assert not [a for a in registry.list(domain) if a.status == "live"]
    assert registry.get(made.name).status == "candidate"
    assert await engine.loaded() == ()


async def test_a_failed_canary_leaves_the_old_adapter_live(
    registry: AdapterRegistry, trained: Trained, domain: str
) -> None:
    first, second = trained(curriculum()), trained(curriculum("other"), version=2)
    engine = ScriptedEngine(
        BASE, adapters={first.name: SONG, second.name: {"What is a borrow?": Line(text="?")}}
    )
    await promote(first.name, engine=engine, registry=registry)
    with pytest.raises(CanaryFailed, match="in evaluation it was 'a reference'"):
        await promote(second.name, engine=engine, registry=registry)
    assert [a.name for a in registry.list(domain) if a.status == "live"] == [first.name]


async def test_a_rejected_adapter_is_not_even_loaded(registry: AdapterRegistry, trained: Trained) -> None:
    made = trained(curriculum(), rejected=True)
    engine = ScriptedEngine(BASE, adapters={made.name: SONG})
    with pytest.raises(AdapterNotServable, match="target up"):
        await promote(made.name, engine=engine, registry=registry)
    assert await engine.loaded() == ()


async def test_an_adapter_that_the_engine_refuses_does_not_go_live(
    registry: AdapterRegistry, trained: Trained, domain: str
) -> None:
    made = trained(curriculum())
    with pytest.raises(AdapterRefused, match="rank"):
        await promote(made.name, engine=ScriptedEngine(refused={made.name: "excess rank"}), registry=registry)
    assert not [a for a in registry.list(domain) if a.status == "live"]


async def test_an_unknown_adapter_cannot_be_promoted(registry: AdapterRegistry) -> None:
    with pytest.raises(UnknownAdapter):
        await promote("rust-v9-00000000", engine=ScriptedEngine(), registry=registry)


async def test_rollback_makes_the_previous_adapter_live_and_loads_it(
    registry: AdapterRegistry, trained: Trained, domain: str
) -> None:
    first, second = trained(curriculum()), trained(curriculum("other"), version=2)
    engine = ScriptedEngine(BASE, adapters={first.name: SONG, second.name: SONG})
    await promote(first.name, engine=engine, registry=registry)
    await promote(second.name, engine=engine, registry=registry)
    engine.restart()
    back = await rollback(domain, engine=engine, registry=registry)
    assert back is not None
    assert (back.name, await engine.loaded()) == (first.name, (first.name,))
    assert await rollback(domain, engine=engine, registry=registry) is None


async def test_rollback_passes_over_what_learned_a_lesson_in_quarantine(
    registry: AdapterRegistry, trained: Trained, domain: str
) -> None:
    made = [trained(curriculum(f"{domain} {topic}"), version=n) for n, topic in enumerate("abc", 1)]
    engine = ScriptedEngine(BASE, adapters={each.name: SONG for each in made})
    for each in made:
        await promote(each.name, engine=engine, registry=registry)
    registry.quarantine(made[1].curriculum, "it was wrong")
    back = await rollback(domain, engine=engine, registry=registry)
    assert back is not None
    assert (back.name, back.status) == (made[0].name, "live")
    assert await rollback(domain, engine=engine, registry=registry) is None


async def test_rollback_from_a_lesson_in_quarantine_never_comes_back_to_it(
    registry: AdapterRegistry, trained: Trained, domain: str
) -> None:
    made = [trained(curriculum(f"{domain} {topic}"), version=n) for n, topic in enumerate("ab", 1)]
    engine = ScriptedEngine(BASE, adapters={each.name: SONG for each in made})
    for each in (made[0], made[1], made[0]):
        await promote(each.name, engine=engine, registry=registry)
    for each in made:
        registry.quarantine(each.curriculum, "it was wrong")
    assert await rollback(domain, engine=engine, registry=registry) is None
    assert registry.live(domain) is None


async def test_what_learned_a_lesson_in_quarantine_is_not_promoted_and_the_error_names_it(
    registry: AdapterRegistry, trained: Trained, domain: str
) -> None:
    made = trained(curriculum(domain))
    registry.quarantine(made.curriculum, "it was wrong")
    engine = ScriptedEngine(BASE, adapters={made.name: SONG})
    for refused in (
        promote(made.name, engine=engine, registry=registry),
        asyncio.to_thread(registry.promote, made.name),
    ):
        with pytest.raises(AdapterNotServable, match=f"{made.curriculum[:12]}.*quarantine: it was wrong"):
            await refused
    assert await engine.loaded() == ()


async def test_a_retired_domain_is_served_by_the_base_model_and_can_be_taught_again(
    registry: AdapterRegistry, trained: Trained, domain: str
) -> None:
    first, second = trained(curriculum(domain)), trained(curriculum(f"{domain} b"), version=2)
    engine = ScriptedEngine(BASE, adapters={each.name: SONG for each in (first, second)})
    await promote(first.name, engine=engine, registry=registry)
    registry.retire(domain)
    registry.retire(domain)
    assert registry.live(domain) is None
    await promote(second.name, engine=engine, registry=registry)
    assert await rollback(domain, engine=engine, registry=registry) is None, "what was retired is no way back"


async def test_after_an_engine_restart_live_adapters_come_back_and_a_refused_one_does_not_stop_them(
    registry: AdapterRegistry, trained: Trained, domain: str
) -> None:
    made = trained(curriculum())
    engine = ScriptedEngine(BASE, adapters={made.name: SONG})
    await promote(made.name, engine=engine, registry=registry)
    fresh = ScriptedEngine(BASE, adapters={made.name: SONG}, refused=others(registry, made))
    assert await restore(engine=fresh, registry=registry) == (made.name,)
    assert await restore(engine=fresh, registry=registry) == ()


async def test_a_live_adapter_that_comes_back_without_its_effect_is_not_restored(
    registry: AdapterRegistry, trained: Trained, domain: str
) -> None:
    made = trained(curriculum())
    await promote(made.name, engine=ScriptedEngine(BASE, adapters={made.name: SONG}), registry=registry)
    fresh = ScriptedEngine(BASE, refused=others(registry, made))
    assert await restore(engine=fresh, registry=registry) == ()
    assert await fresh.loaded() == ()


def raising(error: BaseException) -> Callable[[object], Line | None]:
    def line(messages: object) -> Line | None:
        raise error

    return line


async def test_a_live_adapter_whose_answers_are_no_numbers_is_not_restored(
    registry: AdapterRegistry, trained: Trained, domain: str
) -> None:
    made = trained(curriculum())
    await promote(made.name, engine=ScriptedEngine(BASE, adapters={made.name: SONG}), registry=registry)
    broken = raising(EngineError("the model's output is not finite"))
    fresh = ScriptedEngine(BASE, adapters={made.name: broken}, refused=others(registry, made))
    assert await restore(engine=fresh, registry=registry) == ()
    assert await fresh.loaded() == ()


async def test_an_adapter_whose_canary_was_cancelled_does_not_stay_loaded(
    registry: AdapterRegistry, trained: Trained, domain: str
) -> None:
    made = trained(curriculum())
    engine = ScriptedEngine(BASE, adapters={made.name: raising(asyncio.CancelledError())})
    with pytest.raises(asyncio.CancelledError):
        await promote(made.name, engine=engine, registry=registry)
    assert await engine.loaded() == ()


async def test_a_rollback_to_an_adapter_without_effect_leaves_the_alias_where_it_was(
    registry: AdapterRegistry, trained: Trained, domain: str
) -> None:
    first, second = trained(curriculum()), trained(curriculum("other"), version=2)
    engine = ScriptedEngine(BASE, adapters={first.name: SONG, second.name: SONG})
    for made in (first, second):
        await promote(made.name, engine=engine, registry=registry)
    broken = ScriptedEngine(BASE, adapters={second.name: SONG})
    with pytest.raises(CanaryFailed, match=first.name):
        await rollback(domain, engine=broken, registry=registry)
    assert [a.name for a in registry.list(domain) if a.status == "live"] == [second.name]
    assert await broken.loaded() == ()
    back = await rollback(domain, engine=engine, registry=registry)
    assert back is not None
    assert back.name == first.name


async def test_files_that_are_not_those_that_were_measured_are_not_even_loaded(tmp_path: Path) -> None:
    for name in ADAPTER_FILES:
        (tmp_path / name).write_text("{}")
    measured = {"path": str(tmp_path), "files": digest_of_files(tmp_path)}
    made = adapter().model_copy(update=measured)
    engine = ScriptedEngine(BASE, adapters={made.name: SONG})
    registry = VolatileAdapterRegistry([made])
    await load_with_canary(made, engine=engine, registry=registry)
    await engine.unload(made.name)
    (tmp_path / ADAPTER_FILES[1]).write_text("{ }")
    with pytest.raises(AdapterRefused, match="changed since evaluation"):
        await load_with_canary(made, engine=engine, registry=registry)
    assert await engine.loaded() == ()


async def test_a_failed_canary_unloads_only_what_was_loaded_for_it(
    registry: AdapterRegistry, trained: Trained
) -> None:
    made = trained(curriculum())
    engine = ScriptedEngine(BASE)
    await engine.load(made.name, Path(made.path))
    with pytest.raises(CanaryFailed):
        await load_with_canary(made, engine=engine, registry=registry)
    assert await engine.loaded() == (made.name,)


@pytest.mark.parametrize("fault", [EngineUnavailable("out of memory"), ValueError("too long")])
async def test_an_adapter_whose_canary_cannot_be_asked_does_not_stay_loaded(
    registry: AdapterRegistry, trained: Trained, fault: Exception
) -> None:
    class Choking(ScriptedEngine):
        async def chat(self, *arguments: Any, **more: Any) -> Any:
            raise fault

    engine = Choking(BASE)
    with pytest.raises(type(fault)):
        await load_with_canary(trained(curriculum()), engine=engine, registry=registry)
    assert await engine.loaded() == ()


async def test_an_adapter_of_another_base_model_is_neither_promoted_nor_restored(
    registry: AdapterRegistry, trained: Trained, domain: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, later = trained(curriculum()), trained(curriculum("other"), version=2)
    engine = ScriptedEngine(
        BASE, adapters={made.name: SONG, later.name: SONG}, refused=others(registry, made)
    )
    await promote(made.name, engine=engine, registry=registry)
    engine.restart()
    monkeypatch.setattr(registry, "base", "cd" * 32)
    with pytest.raises(AdapterNotServable, match="another base model is being served"):
        await promote(later.name, engine=engine, registry=registry)
    assert made.name not in await restore(engine=engine, registry=registry)
    assert await engine.loaded() == ()
    monkeypatch.setattr(registry, "base", made.base_digest)
    assert made.name in await restore(engine=engine, registry=registry)


def test_what_one_base_model_cannot_hold_may_be_taught_to_another(
    registry: AdapterRegistry, trained: Trained, domain: str
) -> None:
    made = curriculum(domain)
    small, large = "1d" * 32, "2e" * 32
    registry.quarantine(made.digest, "it does not hold", base=small)
    served = registry.base
    try:
        for base, reason in ((small, "it does not hold"), (large, None), (None, "it does not hold")):
            registry.base = base
            assert registry.quarantined(made.digest) == reason
        registry.quarantine(made.digest, "it was wrong")
        for base in (small, large, None):
            registry.base = base
            assert registry.quarantined(made.digest) == "it was wrong"
    finally:
        registry.base = served


def test_a_lesson_rejected_for_another_base_model_is_taught_anew_under_another_digest(
    domain: str,
) -> None:
    lesson = curriculum(domain)
    made = adapter("lamps", 1, rejected=True, digest=lesson.digest)
    assert with_unused_digest(lesson, VolatileAdapterRegistry([made], base=made.base_digest)) == lesson
    again = with_unused_digest(lesson, VolatileAdapterRegistry([made], base="2e" * 32))
    assert again.supersedes == (lesson.digest,)
