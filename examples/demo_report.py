"""Owns how the demo shows what it measured, and what it keeps of it.

Asks nothing and measures nothing; the figures come from the service's replies and from the run's report.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict
from rich.console import Console
from rich.table import Table
from rich.text import Text

from agent.grading import correct
from api.display import COLOURS, interval

GAIN = 0.5
"""The loop has closed if at least this share of the topic's questions is newly answered right, not looked up.
Before the lesson it is none. How well it was learned is for the gates; here chat also holds back what it is
unsure of, and looks it up."""
SERVED = 0.5
"""Least share of the topic's questions that find their way to the new adapter."""

Json = dict[str, Any]


class Question(BaseModel):
    """One line of questions.jsonl; `again` asks the same in a wording that no curriculum may use."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["topic", "known"]
    question: str
    again: str
    answers: tuple[str, ...]


def answer_of(reply: Json) -> str:
    """The reply's text."""
    return str(reply["choices"][0]["message"]["content"])


def right(question: Question, reply: Json) -> bool:
    """Whether the reply gives one of the reference answers."""
    return correct(answer_of(reply), question.answers)


def answers_table(asked: Sequence[Question], replies: Sequence[Json], *, again: bool = False) -> Table:
    """Each question with its answer, entropy and decision."""
    shown = Table(box=None, header_style="bold", pad_edge=False)
    shown.add_column("question", overflow="fold", ratio=4)
    shown.add_column("answer", overflow="fold", ratio=4)
    shown.add_column("entropy", justify="right", no_wrap=True)
    shown.add_column("decision", no_wrap=True)
    shown.add_column("", no_wrap=True)
    for question, reply in zip(asked, replies, strict=True):
        figures = reply["nightschool"]
        seen = figures["uncertainty"]
        mark = Text("right", style="green") if right(question, reply) else Text("-", style="dim")
        said = answer_of(reply) if figures["outcome"] != "abstained" else "I do not know"
        shown.add_row(
            Text(question.again if again else question.question),
            Text(said),
            interval(seen["maximum"]),
            Text(seen["decision"], style=COLOURS[seen["decision"]]),
            mark,
        )
    return shown


def summary(
    topic: Sequence[Question],
    known: Sequence[Question],
    before: Sequence[Json],
    after: Sequence[Json],
    adapted: Sequence[Json],
    *,
    run: Json,
    seconds: float,
) -> Json:
    """The report as plain values: every question before and after, the run's figures, and the checks."""
    report = run["report"] or {}
    result: Json = {
        "topic": run["run"]["subject"],
        "run": run["run"]["id"],
        "outcome": run["outcome"],
        "questions": records((*topic, *known), before, after),
        "known_asked_of_the_adapter": [record(q, r, q.again) for q, r in zip(known, adapted, strict=False)],
        "critique": report.get("critique"),
        "curriculum": report.get("curriculum"),
        "training_seconds": (report.get("training") or {}).get("seconds"),
        "evaluation": report.get("evaluation"),
        "gates": report.get("gates"),
        "adapter": report.get("adapter"),
        "seconds": round(seconds, 1),
    }
    result["checks"] = checks(result)
    result["closed"] = all(check["passed"] for check in result["checks"])
    return result


def record(question: Question, reply: Json, text: str) -> Json:
    """One asking, as the report keeps it."""
    figures = reply["nightschool"]
    return {
        "text": text,
        "answer": answer_of(reply),
        "right": right(question, reply),
        "entropy": figures["uncertainty"]["maximum"],
        "threshold": figures["uncertainty"]["threshold"],
        "decision": figures["uncertainty"]["decision"],
        "outcome": figures["outcome"],
        "adapter": figures["adapter"],
        "citations": len(figures["citations"]),
    }


def records(asked: Sequence[Question], before: Sequence[Json], after: Sequence[Json]) -> list[Json]:
    """Every question before and after."""
    return [
        {
            "kind": question.kind,
            "answers": list(question.answers),
            "before": record(question, was, question.question),
            "after": record(question, now, question.again),
        }
        for question, was, now in zip(asked, before, after, strict=True)
    ]


def checks(result: Json) -> list[Json]:
    """What has to hold for the loop to be closed: the adapter itself has learned, and has forgotten nothing.

    An unsure adapter may still answer right from the sources, so only what it answered itself counts as new;
    and `auto` sends unrelated questions to the base model, so the adapter is asked for those by name.
    """
    topic = [q for q in result["questions"] if q["kind"] == "topic"]
    known = [q for q in result["questions"] if q["kind"] == "known"]
    newly = sum(
        q["after"]["right"] and q["after"]["outcome"] == "answered" and not q["before"]["right"]
        for q in topic
    )
    by_adapter = sum(q["after"]["adapter"] == result["adapter"] is not None for q in topic)
    adapted = result["known_asked_of_the_adapter"]
    # There are no answers of the adapter where the run made none.
    stood = [now for q, now in zip(known, adapted, strict=False) if q["before"]["right"]]
    lost = [now["text"] for now in stood if not now["right"]]
    status, reason = result["outcome"]["status"], result["outcome"]["reason"]
    return [
        {"check": "the run learned", "passed": status == "learned", "figure": reason},
        {
            "check": "topic questions newly answered right, in new wordings, without sources",
            "passed": newly >= GAIN * len(topic),
            "figure": f"{newly} of {len(topic)}",
        },
        {
            "check": "the new adapter serves the topic",
            "passed": by_adapter >= SERVED * len(topic),
            "figure": f"{by_adapter} of {len(topic)} questions routed to it",
        },
        {
            "check": "unrelated known questions still stand, asked of the adapter itself",
            "passed": bool(stood) and not lost,
            "figure": f"{len(stood) - len(lost)} of {len(stood)}"
            + (f"; lost: {'; '.join(lost)}" if lost else ""),
        },
    ]


def markdown(result: Json) -> str:
    """The report for reading."""
    lines = [
        f"# Demo report: {result['topic']}",
        "",
        f"The loop {'closed' if result['closed'] else 'did not close'}: {result['outcome']['reason']}.",
        f"Adapter: `{result['adapter']}`. Training: {result['training_seconds']} s. "
        f"Whole demo: {result['seconds']} s.",
        "",
        "| question | answer | entropy (nats) | decision | right |",
        "|---|---|---|---|---|",
    ]
    for question in result["questions"]:
        for when in ("before", "after"):
            said = question[when]
            lines.append(
                f"| {when}: {said['text']} | {said['answer']} | {interval(said['entropy'])} "
                f"| {said['decision']} | {'yes' if said['right'] else 'no'} |"
            )
    if curriculum := result["curriculum"]:
        lines += [
            "",
            f"Curriculum: {curriculum['facts']} facts, {curriculum['pairs_kept']} pairs kept, "
            f"{curriculum['pairs_dropped']} dropped {json.dumps(curriculum['dropped'])}.",
        ]
    if evaluation := result["evaluation"]:
        lines += ["", "| set | count | accuracy | hallucination | ECE |", "|---|---|---|---|---|"]
        for name in ("in_distribution", "near", "out_of_distribution", "unknown"):
            was, now = evaluation["before"][name], evaluation["after"][name]
            figures = " | ".join(
                f"{was[k]:.3f} -> {now[k]:.3f}" for k in ("accuracy", "hallucination", "ece")
            )
            lines.append(f"| {name} | {now['count']} | {figures} |")
    if gates := result["gates"]:
        lines += ["", f"Gates: {'passed' if gates['passed'] else 'failed'}.", ""]
        lines += [
            f"- {c['name']}: {c['figure']:.3f}, goal {c['goal']}, {'passed' if c['passed'] else 'failed'}"
            for c in gates["checks"]
        ]
    lines += ["", "Checks of this demo:", ""]
    lines += [
        f"- {c['check']}: {c['figure']} ({'passed' if c['passed'] else 'failed'})" for c in result["checks"]
    ]
    return "\n".join(lines) + "\n"


def conclude(screen: Console, result: Json, folder: Path) -> int:
    """Says whether the loop closed, and where to look next; returns the exit code."""
    screen.print()
    for check in result["checks"]:
        mark = Text("  passed  ", style="green") if check["passed"] else Text("  FAILED  ", style="bold red")
        screen.print(mark + Text(f"{check['check']}: {check['figure']}", style="default"))
    verdict = "[bold green]The loop closed[/]" if result["closed"] else "[bold red]The loop did not close[/]"
    screen.print(f"\n{verdict} in {result['seconds']:.0f} s.")
    screen.print(f"  report   {folder}/report.md and report.json", markup=False)
    screen.print(f"  logs     {folder}/home/logs", markup=False)
    screen.print(
        "  next     make run, then: nightschool ingest YOUR_NOTES/ && nightschool learn TOPIC", markup=False
    )
    return 0 if result["closed"] else 1
