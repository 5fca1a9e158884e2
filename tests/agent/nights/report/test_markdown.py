"""The morning report reads well as plain text, and what users wrote cannot change its layout."""

import re
from datetime import timedelta

import pytest

from agent.nights.report.markdown import markdown, plain
from agent.nights.report.records import NightFigures
from agent.nights.report.report import morning_report
from agent.skew.measure import measure_aspect
from agent.skew.records import SkewReport
from memory.records.nights import StepReport
from tests.support.adapters import adapter
from tests.support.interactions import interaction
from tests.support.nights import WHEN, attack, golden, night, revision, score, topic

SECTIONS = [
    "People should look at", "Asked", "Scored", "Revised", "Learned", "Attacked", "Skew", "Refused",
    "Forgotten", "Steps", "Nights",
]  # fmt: skip


def test_a_night_without_anything_says_so_in_every_section() -> None:
    text = markdown(morning_report(night(), turns=(), scores=()))
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == SECTIONS
    assert "Nothing was trained." in text
    assert "0 turns of 0 users" in text


def test_a_full_night_is_told_with_its_figures() -> None:
    made = adapter().model_copy(update={"created_at": WHEN + timedelta(minutes=5)})
    ended = night(
        status="done",
        ended_at=WHEN + timedelta(minutes=41),
        adapter=made.name,
        steps=(StepReport(step="score", status="done", reason="1 answer scored", seconds=200),),
    )
    earlier = NightFigures(
        night_id="n0", at=WHEN - timedelta(days=1), turns=9, quality=6.5, coverage=0.5, safety=0.9
    )
    text = markdown(
        morning_report(
            ended,
            turns=[interaction("a", unit="ann")],
            scores=[score("a", 3, reasons=("no source supports it",))],
            topics=[topic(label=("borrow", "checker"), trend="rising", count=12)],
            revisions=[revision()],
            golden=[golden()],
            adapters=[made],
            history=[earlier],
        )
    )
    for said in (
        "Done. It went over 1 turn of 1 user or conversation, from",
        "in 41 min",
        "1 answer: 1 low (below 5), 0 middle, 0 high (from 8); 3.0 of 10 on average.",
        "- no source supports it: 1",
        f"{made.name} is live since then.",
        "- passed: target up 0.900, goal >= 0.15",
    ):
        assert said in text
    assert re.search(r"\| borrow, checker +\| 12 +\| 2 +\| rising", text)
    assert re.search(r"\| quote +\| 1 +\| 1 +\| \+7.0", text)
    assert re.search(r"\| 2026-03-01 \| 9 +\| 6.5 +\| 50% +\| +\| 90%", text)


def test_revisions_that_no_strategy_wrote_make_no_table() -> None:
    kept = revision(strategy="", status="no_better", answer="I do not know.")
    text = markdown(morning_report(night(), turns=(), scores=(), revisions=[kept]))
    revised = text.split("## Revised")[1].split("##")[0]
    assert revised.strip() == "1 answer: 1 no better."


def test_what_two_trainings_said_is_kept_apart() -> None:
    said = "lesson: 1 fact to teach, and 10 are needed\npreferences: 0 pairs"
    steps = (StepReport(step="train", status="skipped", reason=said),)
    text = markdown(morning_report(night(steps=steps), turns=(), scores=()))
    assert "was skipped: lesson: 1 fact to teach, and 10 are needed / preferences: 0 pairs.\n" in text
    assert re.search(r"\| train \| skipped \| 0.0 s \| lesson: .* needed / preferences: 0 pairs +\|", text)


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("a | b", r"a \| b"),
        ("line\n# title", "line # title"),
        ("![x](http://evil.example/p.png)", r"!\[x\](http://evil.example/p.png)"),
        ("<img src=x onerror=alert(1)>", r"\<img src=x onerror=alert(1)>"),
        ("`rm -rf`", r"\`rm -rf\`"),
        ("goal <= 0.05", "goal <= 0.05"),
        ("x" * 200, "x" * 87 + "..."),
    ],
)
def test_what_users_wrote_is_one_line_of_plain_text(written: str, shown: str) -> None:
    assert plain(written) == shown


def test_a_hostile_topic_adds_no_column_and_no_line() -> None:
    hostile = topic(label=("a|b\n\n## Learned",), questions=("|\n" * 50,))
    text = markdown(morning_report(night(), turns=(), scores=(), topics=[hostile]))
    (row,) = (line for line in text.splitlines() if line.startswith(r"| a\|b"))
    assert len(re.findall(r"(?<!\\)\|", row)) == 8
    assert text.count("\n## Learned") == 1


def test_skew_is_a_table_and_its_alarms_are_for_people_to_look_at() -> None:
    measured = SkewReport(
        domain="rust",
        since=WHEN,
        until=WHEN,
        aspects=(measure_aspect("sources", {"a|b.md": 90, "c.md": 10}, {}),),
    )
    report = morning_report(night(), turns=(), scores=(), skew=measured)
    (alarm,) = report.attention
    assert alarm.startswith("Skew in sources: a|b.md gives 90% of what was learned")
    assert "a\\|b.md 90% of 0%, c.md 10% of 0%" in markdown(report)


def test_attacks_are_counted_by_kind_and_those_that_worked_are_for_people_to_look_at() -> None:
    attacks = [attack("x1"), attack("x2", result="held"), attack("x3", kind="injection", result="evaded")]
    report = morning_report(night(), turns=(), scores=(), attacks=attacks)
    assert report.attention == ("Attacks that the model fell for, see `nightschool night attacks`: 1.",)
    assert "| false premise | 1    | 1    | 0      |" in markdown(report)
    assert "| injection     | 0    | 0    | 1      |" in markdown(report)
