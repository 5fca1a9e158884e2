"""What the demo shows and keeps of what it measured."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict
from rich.console import Console
from rich.table import Table
from rich.text import Text

from agent.grading import is_correct, repeats_itself
from api.cli.display import COLOURS

GAIN = 1 / 16
"""Least share of the topic's questions, in both wordings, that the adapter has to answer newly right without
sources: two of 32. They are people's questions about prose, of which a model of 135 million parameters
answers few (docs/results/learning.md)."""
SERVED = 0.5
"""Least share of the topic's questions that find their way to the new adapter."""
LOST = 0.05
"""Largest share of the general questions that the model answered rightly that may be lost, net."""
SMALL_TALK = (
    "Hello!",
    "Thanks, that helped.",
    "Write one sentence about rain.",
    "Translate 'good day' to German.",
)

Json = dict[str, Any]


class Question(BaseModel):
    """One question; `again` asks the same in other words. No lesson trains either wording."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    question: str
    again: str
    answers: tuple[str, ...]


class Talk(NamedTuple):
    """What was said without a question, and the replies."""

    text: str
    before: Json
    """Before the lesson."""
    after: Json
    """After it, addressed as before: the service chooses who answers."""
    by_adapter: Json
    """After it, the adapter addressed by name."""


def answer_of(reply: Json) -> str:
    """The reply's text."""
    return str(reply["choices"][0]["message"]["content"])


def own_answer(reply: Json) -> str:
    """What the model itself said, without sources, whether or not it was sure enough to be let out."""
    draft = reply["nightschool"]["draft"]
    return answer_of(reply) if draft is None else str(draft)


def answers_table(asked: Sequence[Question], replies: Sequence[Json], *, again: bool = False) -> Table:
    """Each question with what the model said, how likely that is right, and what the gate made of it."""
    shown = Table(box=None, header_style="bold", pad_edge=False)
    shown.add_column("question", overflow="fold", ratio=4)
    shown.add_column("the model's own answer", overflow="fold", ratio=5)
    shown.add_column("chance", justify="right", no_wrap=True)
    shown.add_column("gate", no_wrap=True)
    shown.add_column("", no_wrap=True)
    for question, reply in zip(asked, replies, strict=True):
        seen = reply["nightschool"]["uncertainty"]
        said = own_answer(reply)
        mark = Text("right", style="green") if is_correct(said, question.answers) else Text("-", style="dim")
        decision = seen["decision"] if seen else "none"
        shown.add_row(
            Text(question.again if again else question.question),
            Text(shortened(said)),
            f"{seen['confidence']:.0%}" if seen and seen["confidence"] is not None else "",
            Text(decision, style=COLOURS.get(decision, "")),
            mark,
        )
    return shown


def conversation_table(talks: Sequence[Talk]) -> Table:
    """Small talk before and after the lesson, side by side."""
    shown = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("said", "before", "after", "the adapter by name"):
        shown.add_column(column, overflow="fold", ratio=1)
    for talk in talks:
        replies = (talk.before, talk.after, talk.by_adapter)
        shown.add_row(Text(talk.text), *(Text(shortened(answer_of(reply))) for reply in replies))
    return shown


def shortened(text: str, most: int = 160) -> str:
    """The text on one line, cut where it is long."""
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - 1]}\u2026"


def summary(
    topic: Sequence[Question],
    known: Sequence[Question],
    *,
    before: Sequence[Json],
    sourced: Sequence[Json],
    after: Sequence[Json],
    alone: Sequence[Sequence[Json]],
    adapted: Sequence[Json],
    talks: Sequence[Talk],
    run: Json,
    model: str,
    seconds: float,
) -> Json:
    """The report as plain values: every question before and after, the run's figures, and the checks.

    `before` holds the topic's questions, then the known ones; `alone` holds what the adapter itself said to
    the topic's questions, in the first wordings, then in the others. `alone`, `adapted` and `talks` are empty
    where the run made no adapter.
    """
    report = run["report"] or {}
    result: Json = {
        "model": model,
        "topic": run["run"]["subject"],
        "run": run["run"]["id"],
        "outcome": run["outcome"],
        "questions": [
            {
                "answers": list(question.answers),
                "before": record(question, was, question.question),
                "from_sources": record(question, read, question.question),
                "after": record(question, now, question.again),
                "by_adapter": [
                    record(question, replies[number], text)
                    for replies, text in zip(alone, (question.question, question.again), strict=False)
                ],
            }
            for number, (question, was, read, now) in enumerate(
                zip(topic, before[: len(topic)], sourced, after, strict=True)
            )
        ],
        "known": [
            {
                "answers": list(question.answers),
                "before": record(question, was, question.question),
                "after": record(question, now, question.again),
            }
            for question, was, now in zip(known, before[len(topic) :], adapted, strict=False)
        ],
        "small_talk": [
            {
                "text": talk.text,
                "before": answer_of(talk.before),
                "answer": answer_of(talk.after),
                "by_adapter": answer_of(talk.by_adapter),
                "gap_id": talk.after["nightschool"]["gap_id"],
            }
            for talk in talks
        ],
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
    seen = figures["uncertainty"] or {}
    return {
        "text": text,
        "answer": answer_of(reply),
        "own_answer": own_answer(reply),
        "right": is_correct(answer_of(reply), question.answers),
        "own_right": is_correct(own_answer(reply), question.answers),
        "confidence": seen.get("confidence"),
        "decision": seen.get("decision"),
        "outcome": figures["outcome"],
        "adapter": figures["adapter"],
        "citations": len(figures["citations"]),
    }


def checks(result: Json) -> list[Json]:
    """What has to hold for the loop to be closed: the adapter itself has learned, and has forgotten nothing.

    The service may look up what the adapter is unsure of, so only the adapter's own answer counts as learned.
    """
    topic, adapter = result["questions"], result["adapter"]
    newly = sum(said["own_right"] and not q["before"]["own_right"] for q in topic for said in q["by_adapter"])
    by_adapter = sum(q["after"]["adapter"] == adapter is not None for q in topic)
    status, reason = result["outcome"]["status"], result["outcome"]["reason"]
    evaluation = result["evaluation"]
    was = now = 0
    if evaluation:
        was, now = (
            round(score["accuracy"] * score["count"])
            for score in (evaluation[when]["out_of_distribution"] for when in ("before", "after"))
        )
    talk = result["small_talk"]
    harmed = [
        turn["text"]
        for turn in talk
        if not turn["answer"].strip()
        or turn["gap_id"]
        or (repeats_itself(turn["answer"]) and not repeats_itself(turn["before"]))
    ]
    circled, circles = (sum(repeats_itself(turn[who]) for turn in talk) for who in ("before", "by_adapter"))
    return [
        {"check": "the run learned", "passed": status == "learned", "figure": reason},
        {
            "check": "topic questions newly answered right by the adapter, in two wordings, without sources",
            "passed": newly >= GAIN * 2 * len(topic) > 0,
            "figure": f"{newly} of {2 * len(topic)}",
        },
        {
            "check": "the new adapter serves the topic",
            "passed": by_adapter >= SERVED * len(topic),
            "figure": f"{by_adapter} of {len(topic)} questions routed to it",
        },
        {
            "check": "what the model knew still stands, asked of the adapter itself",
            "passed": was > 0 and was - now <= LOST * was,
            "figure": f"{now} general questions right, {was} before" if was else "not measured",
        },
        {
            "check": "small talk is answered, opens no gap, and repeats itself no more than before",
            "passed": bool(talk) and not harmed,
            "figure": f"{len(talk) - len(harmed)} of {len(SMALL_TALK)}; in circles: {circled} before,"
            f" {circles} by the adapter",
        },
    ]


def markdown(result: Json) -> str:
    """The report for reading."""
    lines = [
        f"# Demo report: {result['topic']} on {result['model']}",
        "",
        f"The loop {'closed' if result['closed'] else 'did not close'}: {result['outcome']['reason']}.",
        f"Adapter: `{result['adapter']}`. Training: {result['training_seconds']} s. "
        f"Whole demo: {result['seconds']} s.",
        "",
        "| question | answer | chance | outcome | right |",
        "|---|---|---|---|---|",
    ]
    for question in (*result["questions"], *result["known"]):
        for when in ("before", "from_sources", "after"):
            if when not in question:
                continue
            said = question[when]
            answer = said["answer"] if when == "from_sources" else said["own_answer"]
            right = said["right"] if when == "from_sources" else said["own_right"]
            chance = "" if said["confidence"] is None else f"{said['confidence']:.0%}"
            cells = (f"{when.replace('_', ' ')}: {said['text']}", shortened(answer), chance, said["outcome"])
            lines.append(
                f"| {' | '.join(cell.replace('|', '/') for cell in cells)} | {'yes' if right else 'no'} |"
            )
    lines += ["", "| said | before | after | the adapter by name |", "|---|---|---|---|"]
    for turn in result["small_talk"]:
        replies = (shortened(turn[who]).replace("|", "/") for who in ("before", "answer", "by_adapter"))
        lines.append(f"| {' | '.join((turn['text'], *replies))} |")
    if curriculum := result["curriculum"]:
        lines += [
            "",
            f"Curriculum: {curriculum['facts']} facts, {curriculum['pairs_kept']} pairs kept, "
            f"{curriculum['pairs_dropped']} dropped {json.dumps(curriculum['dropped'])}.",
        ]
    if evaluation := result["evaluation"]:
        lines += ["", "| set | count | accuracy | hallucination | ECE |", "|---|---|---|---|---|"]
        for name in ("in_distribution", "out_of_distribution", "unknown"):
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
    read = sum(q["from_sources"]["right"] for q in result["questions"])
    cited = sum(q["from_sources"]["citations"] > 0 for q in result["questions"])
    screen.print(f"  from sources: {read} of {len(result['questions'])} right, {cited} with citations")
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
