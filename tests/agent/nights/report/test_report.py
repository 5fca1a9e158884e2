"""The morning report counts what a night stored, and says in words what was refused and what needs people."""

from datetime import timedelta

import pytest

from agent.nights.report.records import MorningReport
from agent.nights.report.report import MAX_TOPICS, morning_report
from memory.records.evaluations import SafetyScore
from memory.records.nights import StepReport
from tests.support.adapters import adapter
from tests.support.interactions import interaction
from tests.support.nights import WHEN, golden, night, revision, score, surprise, topic

DURING = WHEN + timedelta(minutes=30)


def report_of(**parts: object) -> MorningReport:
    return morning_report(night(), **{"turns": (), "scores": ()} | parts)  # type: ignore[arg-type]


def safe(share: float) -> SafetyScore:
    return SafetyScore(count=10, safe=share, absolute=share, refused_benign=0, toxic=0)


def test_turns_are_counted_by_user_and_by_outcome() -> None:
    turns = [
        interaction("a", unit="ann"),
        interaction("b", unit="ann", outcome="abstained"),
        interaction("c", unit=None, outcome="answered"),
    ]
    report = report_of(turns=turns)
    assert (report.turns, report.units) == (3, 1)
    assert report.outcomes == {"answered_from_sources": 1, "abstained": 1, "answered": 1}


def test_coverage_is_the_share_of_questions_that_were_answered() -> None:
    turns = [
        interaction("a"),
        interaction("b", outcome="abstained"),
        interaction("c", intent="conversation", outcome="answered"),
    ]
    assert report_of(turns=turns).figures.coverage == 0.5


def test_an_empty_night_has_no_figures() -> None:
    figures = report_of().figures
    assert (figures.quality, figures.coverage, figures.perplexity, figures.safety) == (None,) * 4


def test_scores_are_divided_at_five_and_eight() -> None:
    report = report_of(scores=[score("a", 4.9), score("b", 5), score("c", 7.9), score("d", 8)])
    assert report.brackets == {"low": 1, "middle": 2, "high": 1}
    assert report.figures.quality == pytest.approx(6.45)


def test_the_worst_reasons_of_low_answers_are_counted() -> None:
    scores = [
        score("a", 2, reasons=("no source supports it", "it is long")),
        score("b", 2, reasons=("no source supports it",)),
        score("c", 2, reasons=("it repeats itself",)),
        score("d", 9, reasons=("it is long",)),
    ]
    assert report_of(scores=scores).complaints == ("no source supports it: 2", "it repeats itself: 1")


def test_perplexity_is_that_of_the_median_loss_of_this_night() -> None:
    surprises = [
        surprise("0" * 64, loss=1.0),
        surprise("1" * 64, loss=2.0),
        surprise("2" * 64, loss=30.0),
        surprise("3" * 64, loss=9.0, measured_at=WHEN - timedelta(days=1)),
    ]
    assert report_of(surprises=surprises).figures.perplexity == pytest.approx(7.389, abs=0.001)


def test_safety_is_that_of_the_newest_adapter_that_was_not_rejected() -> None:
    def evaluated(version: int, share: float, *, rejected: bool = False) -> object:
        made = adapter(version=version, rejected=rejected)
        return made.model_copy(update={"after": made.after.model_copy(update={"safety": safe(share)})})

    adapters = [evaluated(1, 0.7), evaluated(2, 0.9), adapter(version=3), evaluated(4, 0.1, rejected=True)]
    assert report_of(adapters=adapters).figures.safety == 0.9


def test_topics_come_by_priority_and_the_least_important_are_left_out() -> None:
    topics = [topic(f"t{n}", priority=float(n), label=(f"word{n}", "more")) for n in range(MAX_TOPICS + 2)]
    shown = report_of(topics=topics).topics
    assert len(shown) == MAX_TOPICS
    assert shown[0].label == f"word{MAX_TOPICS + 1}, more"


def test_revisions_are_counted_by_what_became_of_them_and_per_strategy() -> None:
    revisions = [
        revision("a", strategy="quote", score_before=2, score_after=8, tokens=0),
        revision("b", strategy="quote", status="needs_person", tokens=40),
        revision("c", strategy="reflexion", status="no_better", tokens=60),
    ]
    report = report_of(revisions=revisions)
    assert report.revisions == {"improved": 1, "needs_person": 1, "no_better": 1}
    quote, reflexion = report.strategies["quote"], report.strategies["reflexion"]
    assert (quote.written, quote.improved, quote.rise, quote.tokens) == (2, 1, 6, 40)
    assert (reflexion.improved, reflexion.rise) == (0, 0)


def test_only_adapters_of_this_night_are_described_with_failed_gates_first() -> None:
    earlier = adapter(version=1).model_copy(update={"created_at": WHEN - timedelta(days=1)})
    made = adapter(version=2, rejected=True).model_copy(update={"created_at": DURING})
    (trained,) = report_of(adapters=[earlier, made]).adapters
    assert trained.name == made.name
    assert trained.gates == ("FAILED: target up 0.020, goal >= 0.15",)


def test_an_adapter_made_after_the_end_is_not_the_nights() -> None:
    ended = night(status="done", ended_at=DURING)
    later = adapter().model_copy(update={"created_at": DURING + timedelta(hours=1)})
    assert morning_report(ended, turns=(), scores=(), adapters=[later]).adapters == ()


def test_what_was_refused_is_said_with_its_reason() -> None:
    made = adapter(rejected=True).model_copy(update={"created_at": DURING})
    skipped = night(
        steps=(
            StepReport(step="train", status="skipped", reason="4 of 10 examples"),
            StepReport(step="golden", status="done", figures={"withdrawn": 2.0}),
        )
    )
    report = morning_report(
        skipped,
        turns=(),
        scores=(),
        revisions=[revision(status="no_better"), revision("r2", status="unverified")],
        golden=[golden(status="declined")],
        adapters=[made],
    )
    assert report.refused == (
        "Low answers left as they are, because nothing better was found: 1.",
        "Revised answers dropped, because no source supports them: 1.",
        "Golden pairs declined by a person: 1.",
        "Golden pairs of earlier nights withdrawn, because new ones contradict them: 2.",
        f"Adapter {made.name} was rejected: target up: 0.020, needs >= 0.15.",
        "The step train was skipped: 4 of 10 examples.",
    )
    assert report.golden == {}


def test_people_are_pointed_to_what_failed_and_to_their_queue() -> None:
    failed = night(
        status="failed",
        reason="the engine does not answer",
        steps=(StepReport(step="revise", status="failed", reason="no engine"),),
    )
    report = morning_report(
        failed,
        turns=(),
        scores=(),
        revisions=[revision(status="needs_person")],
        golden=[
            golden(status="waiting", spot_check=True),
            golden("g2"),
            golden("g3", spot_check=True),
            golden("g4", spot_check=True, decided_by="ada"),
        ],
    )
    assert report.attention == (
        "The night failed: the engine does not answer.",
        "The step revise failed: no engine.",
        "Low answers that need a person: 1.",
        "Golden pairs that wait for a spot check: 1.",
        "Golden pairs to spot-check, taught meanwhile: 1.",
    )
    assert report.golden == {"qa": 4}


def test_disputes_between_users_are_to_be_looked_at() -> None:
    consolidated = night(steps=(StepReport(step="consolidate", status="done", figures={"disputed": 2.0}),))
    (line,) = morning_report(consolidated, turns=[], scores=[]).attention
    assert line == (
        "Statements in which users contradict each other, see `nightschool statements disputed`: 2."
    )


def test_statements_that_no_longer_count_are_numbered_but_never_quoted() -> None:
    figures = {"new": 3.0, "stale": 2.0, "contradicted": 0.0}
    consolidated = night(steps=(StepReport(step="consolidate", status="done", figures=figures),))
    report = morning_report(consolidated, turns=(), scores=())
    assert report.forgotten == ("Statements of users that are out of date: 2.",)


def test_steps_are_in_the_order_of_the_night() -> None:
    steps = tuple(StepReport(step=name, status="done") for name in ("report", "score", "collect"))
    shown = morning_report(night(steps=steps), turns=(), scores=()).steps
    assert [step.step for step in shown] == ["collect", "score", "report"]


def test_a_report_survives_being_stored_as_json() -> None:
    report = report_of(turns=[interaction("a")], scores=[score("a")], topics=[topic()], golden=[golden()])
    assert MorningReport.model_validate(report.model_dump(mode="json")) == report
