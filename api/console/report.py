"""What a learn run has done and found: its progress, what it asks a person, its report, as HTML."""

from collections.abc import Mapping, Sequence
from typing import Any

from api.cli.display import SETS
from api.console.bars import before_and_after
from api.console.lessons import Lesson
from api.console.markup import Tone, block, fields, heading, items, moment, paragraph, table
from api.console.service import Json

OUTCOME_TONES: Mapping[str, Tone] = {"learned": "good", "forgotten": "good", "failed": "bad"}


def progress(events: Sequence[Json]) -> str:
    """The run's steps so far; of counts in one phase of training, the latest."""
    shown: list[Json] = []
    for event in events:
        if shown and _counts(event) and _counts(shown[-1]) and _phase(event) == _phase(shown[-1]):
            shown[-1] = event
        else:
            shown.append(event)
    rows = [(event["at"][11:19], event["step"], event["message"]) for event in shown]
    return table("Progress", ("time", "step", "what"), rows)


def _counts(event: Json) -> bool:
    return bool(event["step"] == "train" and event["figures"].get("total", 0))


def _phase(event: Json) -> str:
    return str(event["message"]).split(" ")[0]


def run_details(reply: Json, lesson: Lesson | None = None) -> str:
    """A run: its outcome, what it asks, with all of its questions where the lesson is known, its report."""
    run, outcome = reply["run"], reply["outcome"]
    parts = [fields({"subject": run["subject"], "run": run["id"], "started": moment(run["started_at"])})]
    if outcome is not None:
        words = f"{outcome['status'].replace('_', ' ')}: {outcome['reason']}"
        parts.append(paragraph(words, OUTCOME_TONES.get(outcome["status"], "doubt")))
    elif reply["status"] == "waiting":
        parts.append(paragraph("It waits for approval: read what it wants to teach, and decide.", "doubt"))
    else:
        parts.append(paragraph("It is running.", "quiet"))
    if reply["asks"] is not None:
        parts.append(asked(reply["asks"], lesson))
    if reply["report"]:
        parts.append(report_sections(reply["report"]))
    return block(*parts)


def asked(asks: Json, lesson: Lesson | None = None) -> str:
    """The curriculum that a person decides on: critique with reasons, and pairs with their sources."""
    pairs = lesson.pairs if lesson is not None and lesson.pairs else asks["sample"]
    shown = "all of them" if len(pairs) == asks["pairs"] else f"{len(pairs)} of them"
    counts = {name.replace("_", " "): asks[name] for name in ("dropped", "left_out")}
    kinds = [f"{count} {name}: {why}" for name, each in counts.items() for why, count in each.items()]
    rows = [
        (pair["question"], pair["answer"], " ".join(pair["quote"].split()), pair["source"]) for pair in pairs
    ]
    return (
        heading("What it asks")
        + fields({"topic": asks["topic"], "domain": asks["domain"]})
        + critique(asks["critique"])
        + items(kinds)
        + table(
            f"{asks['pairs']} pairs about {asks['facts']} facts: {shown}",
            ("question", "answer", "sentence", "source"),
            rows,
        )
        + ("" if lesson is None else table_of_changes(lesson))
    )


def table_of_changes(lesson: Lesson) -> str:
    """What was changed in the lesson since it was asked about before; nothing where it was not."""
    rows = [(kind, question, answer) for kind, question, answer in lesson.changes]
    return table("Changed since it was asked about before", ("", "question", "answer"), rows) if rows else ""


def critique(scores: Json) -> str:
    """The scores of a critique, its verdict and its reasons."""
    marks = ", ".join(f"{name} {scores[name]:.2f}" for name in ("relevance", "faithfulness", "quality"))
    return fields({"critique": f"{marks} -> {scores['verdict']}"}) + items(scores.get("reasons") or ())


def report_sections(report: Json) -> str:
    """A run's findings, curriculum, training, evaluation and gates, as far as it got."""
    parts = [heading("Report")]
    if web := report.get("web"):
        parts.append(fields({"the web": f"{len(web['stored'])} of {web['found']} pages read"}))
        parts.append(items(f"{each['url']}: {each['reason']}" for each in web["skipped"]))
    if report.get("critique"):
        parts.append(critique(report["critique"]))
    if curriculum := report.get("curriculum"):
        parts.append(
            fields(
                {
                    "curriculum": f"{curriculum['facts']} facts, {curriculum['pairs_kept']} pairs kept, "
                    f"{curriculum['pairs_dropped']} dropped, written by {curriculum['teacher']}"
                }
            )
        )
    if training := report.get("training"):
        took = f"{training['seconds']:.0f} s, {training['tokens']} tokens, {training['recipe']}"
        parts.append(fields({"training": took}))
    if report.get("evaluation"):
        parts.append(evaluation(report["evaluation"]))
    if report.get("gates"):
        parts.append(gates(report["gates"]))
    return "".join(parts)


def evaluation(measured: Json) -> str:
    """Every question set before and after training; before is the base model, or the live adapter."""
    before, after = measured["before"], measured["after"]
    rows: list[tuple[Any, ...]] = []
    plotted: list[tuple[str, float, float]] = []
    for key, label in SETS.items():
        was, now = before.get(f"{key}_live") or before.get(key), after.get(key)
        if was is None or now is None:
            continue
        figure = "hallucination" if key == "unknown" else "accuracy"
        plotted.append((label, was[figure], now[figure]))
        invented = f"{was['hallucination']:.1%} > {now['hallucination']:.1%}"
        calibration = f"{was['ece']:.2f} > {now['ece']:.2f}"
        rows.append((label, now["count"], f"{was[figure]:.1%}", f"{now[figure]:.1%}", invented, calibration))
    columns = ("questions", "count", "before", "after", "hallucinated", "ECE")
    return table("Before and after", columns, rows) + before_and_after(plotted)


def gates(verdict: Json) -> str:
    """Every gate with its goal and figure."""
    rows = [
        (check["name"], f"{check['figure']:.3f}", check["goal"], "passed" if check["passed"] else "failed")
        for check in verdict["checks"]
    ]
    return table("Gates", ("gate", "figure", "goal", ""), rows)
