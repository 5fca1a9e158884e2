"""Growing: lessons move as they are, in order, once each; what fails is listed, and the rest goes on."""

from dataclasses import replace
from pathlib import Path

import pytest

from agent.errors import GrowthRefused, NothingToGrow, NotTeachable
from agent.growth.transfer import check_models, grow
from memory.outbox.base import TrainingResult
from tests.support.cards import card
from tests.support.growth import FIRST, LARGE, SECOND, SMALL, growing, knows
from tests.support.trainers import REJECTED

FAILED = TrainingResult(status="failed", adapter=None, reason="the card measures nothing")


async def test_all_lessons_of_the_live_adapter_are_taught_again_in_their_order(tmp_path: Path) -> None:
    made = growing(tmp_path, FIRST, SECOND)
    report = await grow(made.growing)
    assert made.trainer.lessons == (FIRST, SECOND)
    live = made.large.live("lamps")
    assert live is not None
    assert live.learned == (FIRST.digest, SECOND.digest), "the second was taught on top of the first"
    (domain,) = report.domains
    assert [lesson.status for lesson in domain.lessons] == ["transferred", "transferred"]
    assert (domain.target_adapter, domain.transferred) == (live.name, 2)
    assert made.promoted == [lesson.adapter for lesson in domain.lessons], "each is in the audit log"
    assert made.small.live("lamps") is not None, "the source keeps what it had"


async def test_both_models_are_asked_the_same_questions_before_and_after(tmp_path: Path) -> None:
    made = growing(tmp_path, FIRST, SECOND, on_small=knows(FIRST))
    (domain,) = (await grow(made.growing)).domains
    share = len(FIRST.held_out) / (len(FIRST.held_out) + len(SECOND.held_out))
    assert domain.questions == len(FIRST.held_out) + len(SECOND.held_out)
    assert (domain.source_before, domain.target_before, domain.target_after) == (0.0, 0.0, 1.0)
    assert domain.source_after == pytest.approx(share)
    assert domain.gain is not None
    assert domain.gain.points == pytest.approx(100 * (1 - share))


async def test_one_model_at_a_time_is_in_memory(tmp_path: Path) -> None:
    made = growing(tmp_path, FIRST, SECOND)
    await grow(made.growing)
    assert made.opened == ["small", "large"]


async def test_a_run_after_one_that_ended_trains_and_asks_nothing(tmp_path: Path) -> None:
    made = growing(tmp_path, FIRST, SECOND)
    first = await grow(made.growing)
    jobs = made.trainer.jobs
    made.opened.clear()
    again = await grow(made.growing)
    assert (made.trainer.jobs, made.opened) == (jobs, [])
    assert again.gain == first.gain
    assert again.seconds == first.seconds


async def test_a_run_that_was_killed_after_a_training_goes_on_with_the_promotion(tmp_path: Path) -> None:
    made = growing(tmp_path, FIRST, SECOND)

    def killed() -> None:
        raise KeyboardInterrupt

    made.trainer.busy = {2}
    with pytest.raises(KeyboardInterrupt):
        await grow(replace(made.growing, worker=growing(tmp_path, check=killed).growing.worker))
    assert made.trainer.jobs == 1
    made.trainer.busy.clear()
    report = await grow(made.growing)
    assert made.trainer.jobs == 2, "the first lesson was trained again"
    assert report.domains[0].transferred == 2


async def test_a_rejected_lesson_is_listed_and_the_next_one_is_taught(tmp_path: Path) -> None:
    made = growing(tmp_path, FIRST, SECOND, ends={1: REJECTED})
    (domain,) = (await grow(made.growing)).domains
    assert [lesson.status for lesson in domain.lessons] == ["rejected", "transferred"]
    assert "target accuracy" in domain.lessons[0].reason
    live = made.large.live("lamps")
    assert live is not None
    assert live.learned == (SECOND.digest,)
    assert domain.training_seconds == 120.0, "of the rejected attempt too"


async def test_a_failed_lesson_is_tried_again_by_the_next_run(tmp_path: Path) -> None:
    made = growing(tmp_path, FIRST, ends={1: FAILED})
    (domain,) = (await grow(made.growing)).domains
    assert (domain.lessons[0].status, domain.target_adapter) == ("failed", None)
    assert domain.target_after == domain.target_before
    (domain,) = (await grow(made.growing)).domains
    assert domain.lessons[0].status == "transferred"


async def test_a_lesson_that_is_unapproved_or_gone_is_never_taught(tmp_path: Path) -> None:
    made = growing(
        tmp_path,
        FIRST,
        SECOND,
        unapproved={FIRST.digest: "nobody signed it"},
        missing=[SECOND.digest],
    )
    report = await grow(made.growing)
    assert made.trainer.lessons == ()
    by_digest = {lesson.digest: lesson for lesson in report.domains[0].lessons}
    assert by_digest[FIRST.digest].reason == "nobody signed it"
    assert "no curriculum" in by_digest[SECOND.digest].reason
    assert (report.gain, report.paid) == (None, "not measured")


async def test_an_adapter_that_does_not_sing_does_not_go_live(tmp_path: Path) -> None:
    made = growing(tmp_path, FIRST, on_large={})
    (domain,) = (await grow(made.growing)).domains
    assert domain.lessons[0].status == "failed"
    assert "trained, but not served" in domain.lessons[0].reason
    assert made.large.live("lamps") is None


async def test_what_was_rolled_back_on_the_target_stays_rolled_back(tmp_path: Path) -> None:
    made = growing(tmp_path, FIRST, SECOND)
    await grow(made.growing)
    made.large.rollback("lamps")
    made.large.rollback("lamps")
    (domain,) = (await grow(made.growing)).domains
    assert (made.trainer.jobs, made.large.live("lamps")) == (2, None)
    assert [lesson.status for lesson in domain.lessons] == ["failed", "failed"]
    assert f"nightschool adapters promote {domain.lessons[0].adapter}" in domain.lessons[0].reason


async def test_a_domain_is_chosen_and_one_without_lessons_is_an_error_that_says_what_to_do(
    tmp_path: Path,
) -> None:
    made = growing(tmp_path, FIRST)
    assert (await grow(made.growing, "lamps")).domains[0].domain == "lamps"
    with pytest.raises(NothingToGrow, match="nightschool learn"):
        await grow(made.growing, "clocks")
    with pytest.raises(NothingToGrow, match="any domain"):
        await grow(growing(tmp_path).growing)


def test_models_that_cannot_be_used_together_are_refused() -> None:
    with pytest.raises(GrowthRefused, match="same model"):
        check_models(SMALL, SMALL, "curriculum")
    with pytest.raises(NotTeachable, match="retrieval only"):
        check_models(SMALL, LARGE.model_copy(update={"card": card(verdict="retrieval only")}), "curriculum")


async def test_progress_says_the_lesson_and_its_phase(tmp_path: Path) -> None:
    made = growing(tmp_path, FIRST)
    await grow(made.growing)
    assert any(step.startswith("lamps: asking small 1/") for step in made.shown.steps)
    assert made.shown.lines == ["lamps: lesson 1 of 1, lamps: transferred: all gates passed"]
