"""Which adapters a learn run promotes, and what keeps the others from being served."""

from agent.engines.scripted import ScriptedEngine
from graphs.state import Runtime
from memory.adapters.volatile import VolatileAdapterRegistry
from memory.outbox.base import TrainingResult
from memory.outbox.volatile import VolatileOutbox
from tests.graphs.conftest import BASE_LINES, SONG, TRAINED
from tests.support.adapters import adapter
from tests.support.learn_graph import Changed, run


async def test_a_rejected_adapter_is_reported_and_never_promoted(changed: Changed) -> None:
    outbox = VolatileOutbox(
        TrainingResult(status="rejected", adapter=TRAINED.name, reason="target up: 0.020")
    )
    state = await run(changed(outbox=outbox), "Rust ownership")
    assert (state["outcome"].status, state["outcome"].reason) == ("rejected", "target up: 0.020")
    assert state["adapter"].after.in_distribution.accuracy == 0.9


async def test_a_job_that_the_trainer_refused_as_unsigned_is_in_the_audit_log(changed: Changed) -> None:
    outbox = VolatileOutbox(
        TrainingResult(status="failed", adapter=None, reason="nobody signed the approval", unsigned=True)
    )
    refused = changed(outbox=outbox)
    state = await run(refused, "Rust ownership")
    assert (state["outcome"].status, state["outcome"].reason) == ("failed", "nobody signed the approval")
    (row,) = await refused.audit.list(action="signature.refuse")
    assert (row.subject, row.by) == (state["job"].digest, "training worker")


async def test_a_canary_that_stays_silent_leaves_the_base_model_serving(changed: Changed) -> None:
    state = await run(changed(engine=ScriptedEngine(BASE_LINES)), "Rust ownership")
    assert state["outcome"].status == "failed"
    assert "no effect" in state["outcome"].reason


async def test_who_approved_what_went_live_is_in_the_audit_log(runtime: Runtime, changed: Changed) -> None:
    await run(runtime, "Rust ownership")
    (row,) = await runtime.audit.list(action="adapter.promote")
    assert (row.subject, row.by) == (TRAINED.name, "policy")
    await run(changed(engine=ScriptedEngine(BASE_LINES)), "Rust ownership")
    assert [row.action for row in await runtime.audit.list(after=row.number)] == [
        "adapter.promote",
        "adapter.promote.failed",
    ]


async def test_a_curriculum_in_quarantine_is_not_handed_over(runtime: Runtime, changed: Changed) -> None:
    first = await run(runtime, "Rust ownership")
    registry = VolatileAdapterRegistry([TRAINED], quarantine={first["curriculum"].digest: "near below 70%"})
    outbox = VolatileOutbox({})
    state = await run(changed(registry=registry, outbox=outbox), "Rust ownership")
    assert "near below 70%" in state["outcome"].reason
    assert outbox.submitted == {}


async def test_a_lesson_once_learned_beside_one_in_quarantine_is_learned_anew(
    runtime: Runtime, changed: Changed
) -> None:
    digest = (await run(runtime, "Rust ownership"))["curriculum"].digest
    tainted = adapter("rust", 2, digest=digest).model_copy(update={"rehearsed": ("ab" * 32,)})
    registry = VolatileAdapterRegistry([TRAINED, tainted], quarantine={"ab" * 32: "it was wrong"})
    state = await run(changed(registry=registry), "Rust ownership")
    assert state["curriculum"].supersedes == (digest,)
    assert state["job"].digest != digest, "the old one's job has ended, with an adapter that is never served"


async def test_an_adapter_that_learned_what_was_forgotten_meanwhile_is_not_swapped_in(
    changed: Changed,
) -> None:
    tainted = TRAINED.model_copy(update={"rehearsed": ("ab" * 32,)})
    registry = VolatileAdapterRegistry([tainted], quarantine={"ab" * 32: "it was wrong"})
    state = await run(changed(registry=registry), "Rust ownership")
    assert state["outcome"].status == "failed"
    assert "abababababab, which is in quarantine" in state["outcome"].reason


async def test_a_lesson_that_another_one_overtook_is_taught_again_on_top_of_it(changed: Changed) -> None:
    other = adapter("rust", 2, digest="ab" * 32)
    on_top = adapter("rust", 3, digest="cd" * 32).model_copy(
        update={"parent": other.name, "rehearsed": (other.curriculum,)}
    )
    registry = VolatileAdapterRegistry([TRAINED, other, on_top])
    registry.promote(other.name)

    class InTurn(VolatileOutbox):
        async def result(self, digest: str) -> TrainingResult | None:
            made = TRAINED if digest == next(iter(self.submitted)) else on_top
            return TrainingResult(status="candidate", adapter=made.name, reason="all gates passed")

    engine = ScriptedEngine(BASE_LINES, adapters={each.name: SONG for each in (other, TRAINED, on_top)})
    outbox = InTurn({})
    state = await run(changed(registry=registry, outbox=outbox, engine=engine), "Rust ownership")
    assert (state["outcome"].status, state["outcome"].adapter) == ("learned", on_top.name)
    assert [e.step for e in state["events"]][-7:] == [
        "hand over", "train", "promote", "hand over", "train", "promote", "report"
    ]  # fmt: skip
    first, second = outbox.submitted.values()
    assert second.supersedes == (first.digest,)


async def test_what_the_live_adapter_has_learned_among_its_lessons_does_not_take_its_place(
    changed: Changed,
) -> None:
    later = adapter("rust", 2, digest="ab" * 32).model_copy(update={"rehearsed": (TRAINED.curriculum,)})
    registry = VolatileAdapterRegistry([TRAINED, later])
    registry.promote(later.name)
    engine = ScriptedEngine(BASE_LINES, adapters={each.name: SONG for each in (later, TRAINED)})
    state = await run(changed(registry=registry, engine=engine), "Rust ownership")
    assert (state["outcome"].status, state["outcome"].adapter) == ("learned", later.name)
    live = registry.live("rust")
    assert live is not None
    assert live.name == later.name
