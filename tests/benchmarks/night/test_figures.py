"""The arithmetic of the night benchmark, on numbers made by hand."""

import pytest

from benchmarks.night import figures as compute
from benchmarks.night.bench import Progress
from benchmarks.night.fortnight import DayDone, Exam, fortnight_figures
from benchmarks.night.locomo_arms import Answer, Arm, Evaluated, Moment
from benchmarks.night.locomo_data import LocomoQuestion
from benchmarks.night.locomo_report import ConversationResult, locomo_figures
from benchmarks.night.results import GOALS, PARTS, page
from benchmarks.night.revision import Revised, revision_figures
from benchmarks.night.scale import CORE_HOUR, LARGE, WORKERS, Timed, scale_figures
from benchmarks.parts import PartResult, keep, kept
from memory.results import met


def test_the_gap_closed_is_the_covered_part_of_the_distance() -> None:
    assert compute.gap_closed(0.1, 0.4, 0.6) == pytest.approx(0.6)
    assert compute.gap_closed(0.5, 0.6, 0.4) is None


def test_points_are_lost_between_answers_to_the_same_questions_only() -> None:
    assert compute.points_lost([True, True, False, False], [True, False, False, False]) == 25
    assert compute.points_lost([], []) is None
    with pytest.raises(ValueError, match="not to the same questions"):
        compute.points_lost([True], [])


def test_length_alone_separates_in_whichever_direction_it_does() -> None:
    long, short = "a long answer", "short"
    assert compute.length_separation([long, short], [True, False]) == 1
    assert compute.length_separation([long, short], [False, True]) == 1


def test_a_score_of_ten_for_right_and_one_for_wrong_has_no_error() -> None:
    assert compute.score_error([10, 1], [True, False]) == 0
    assert compute.score_error([10, 1], [False, True]) == 1


def test_what_is_left_is_estimated_from_the_time_so_far() -> None:
    times, said = iter([0.0, 60.0]), list[str]()
    Progress(said.append, "answers", 3, clock=lambda: next(times)).step()
    assert said == ["answers: 1 of 3, 2.0 minutes left"]


QUESTIONS = tuple(
    LocomoQuestion(text=f"Question {n}?", answer="Bern", category=category, sessions=(1,))
    for n, category in enumerate((4, 4, 4, 4, 5))
)


def evaluated(arm: Arm, right: int, moment: Moment = "last") -> list[Evaluated]:
    """The first so many answerable questions answered rightly, and the unanswerable one declined."""
    return [
        Evaluated(
            moment=moment,
            arm=arm,
            question=question,
            answer=Answer(text="Bern" if n < right else "Oslo", declined=not question.answerable),
        )
        for n, question in enumerate(QUESTIONS)
    ]


def conversation(*answers: list[Evaluated]) -> ConversationResult:
    return ConversationResult(
        id="7",
        lines=10,
        statements=5,
        nights=2,
        deployed=1,
        first_sessions=(1,),
        notes=("passed", "passed"),
        night_seconds=120,
        evaluated=tuple(each for part in answers for each in part),
        known_before=(True, True, True, True),
        known_after=(True, True, True, False),
    )


def test_figures_of_a_conversation_follow_from_its_answers() -> None:
    figures = locomo_figures(
        [
            conversation(
                evaluated("nights", 3, "first"),
                evaluated("nothing", 0),
                evaluated("nights", 2),
                evaluated("retrieval", 3),
                evaluated("full conversation", 1),
                evaluated("both", 4),
            )
        ]
    )
    assert figures["locomo, gap closed closed-book"] == pytest.approx(2 / 3)
    assert figures["locomo, both over the best of retrieval and full conversation, points"] == 25
    assert figures["locomo, first night's questions lost, points"] == 25
    assert figures["locomo, known questions lost, points"] == 25
    assert figures["locomo, nights, unanswerable declined"] == 1
    assert figures["locomo, statements per line"] == 0.5


def revised(strategy: str, before: bool, after: bool, status: str) -> Revised:
    return Revised.model_validate(
        {
            "strategy": strategy,
            "turn_id": f"{before}-{after}-{status}",
            "status": status,
            "before": before,
            "after": after,
            "tokens": 10,
            "seconds": 2,
        }
    )


def test_a_strategy_pays_with_all_its_tokens_for_each_improved_answer() -> None:
    figures = revision_figures(
        [
            revised("quote", False, True, "improved"),
            revised("quote", False, False, "no_better"),
            revised("quote", True, False, "improved"),
            revised("react", False, False, "needs_person"),
        ]
    )
    assert figures["revision, quote, tokens per improved"] == 15
    assert figures["revision, quote, wrong made right"] == 0.5
    assert figures["revision, right answers made wrong"] == 1
    assert figures["revision, react, unverified"] == 1
    assert figures["revision, low answers made right by the best strategy"] == 0.5
    assert "revision, react, tokens per improved" not in figures


def day(number: int, right: int, gaps: int, **fields: int) -> DayDone:
    return DayDone.model_validate(
        {
            "day": number,
            "answerable": 10,
            "right": right,
            "gaps": gaps,
            "unanswerable": 2,
            "declined": 2,
            "open_gaps": gaps,
            "improved": 0,
            "golden": 0,
            "explored": 0,
            "live": None,
            "night": "",
            "seconds": 1,
            **fields,
        }
    )


def test_a_fortnight_rises_by_day_and_between_its_ends() -> None:
    exams = [
        Exam(moment="before", answerable=(True, False, False, False), unanswerable=(True, True)),
        Exam(moment="after", answerable=(True, True, False, False), unanswerable=(True, False)),
    ]
    days = [day(1, 4, 6), day(2, 5, 4, false_taught=0, false_given=2), day(3, 6, 2)]
    figures = fortnight_figures(days, exams)
    assert figures["fortnight, rise of right answers by day, points"] == pytest.approx(10)
    assert figures["fortnight, fall of questions left as gaps by day, points"] == pytest.approx(20)
    assert figures["fortnight, rise of right answers, points"] == 25
    assert figures["fortnight, unanswerable declined"] == 0.5
    assert figures["poisoned day, false answers given to others"] == 2


def test_a_large_log_is_projected_from_the_time_of_all_steps() -> None:
    steps = ("scoring", "embedding", "extraction", "dedupe")
    figures = scale_figures([Timed(step, True, 100, 200) for step in steps])
    hours = LARGE * 4 * WORKERS / 200 / 3600
    assert figures["scale, core hours for 10 million interactions"] == pytest.approx(hours)
    assert figures["scale, dollars for 10 million interactions"] == pytest.approx(hours * CORE_HOUR)
    assert figures["scale, scoring, turns per second and worker"] == 100


def test_the_page_keeps_earlier_parts_and_says_which_were_not_run(tmp_path) -> None:  # type: ignore[no-untyped-def]
    keep(tmp_path, PartResult(part="scale", figures={"scale, steps with identical results": 4}))
    keep(tmp_path, PartResult(part="scorer", figures={"scorer, AUROC": 0.7}))
    result = page(kept(tmp_path, PARTS), quick=False, command="make bench-night", model="m")
    (parts,) = [table for table in result.tables if table.title == "Parts"]
    assert [row[0] for row in parts.rows if row[1] == "not run"] == ["revision", "locomo", "fortnight"]
    assert met(result, "scale, steps with identical results")
    assert not met(result, "scorer, AUROC")
    assert not met(result, "scorer, calibration error")  # of a part that has run, but did not measure it
    assert not any(name in result.goals for name in GOALS["locomo"])


def test_every_part_has_goals() -> None:
    assert set(GOALS) == set(PARTS)
