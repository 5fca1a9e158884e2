"""Prints chat replies, run progress, run reports and adapter figures in a terminal."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.text import Text

from api.cli.screen import Wide, plain_table

Json = Mapping[str, Any]

SETS = {
    "in_distribution": "taught facts, new wordings",
    "out_of_distribution": "general questions",
    "unknown": "still unknown (hallucinated)",
    "rehearsed": "earlier lessons",
    "forgotten": "forgotten facts",
}
LONGITUDINAL: Mapping[str, Callable[[Json], float | None]] = {
    "its own lesson, new wordings": lambda version: _measured(version, "in_distribution", "accuracy"),
    "earlier lessons": lambda version: _measured(version, "rehearsed", "accuracy"),
    "general questions": lambda version: _measured(version, "out_of_distribution", "accuracy"),
    "hallucinated, still unknown": lambda version: _measured(version, "unknown", "hallucination"),
    "calibration error, as stated": lambda version: (version.get("gate") or {}).get("error"),
    "calibration error, raw": lambda version: _measured(version, "in_distribution", "ece"),
}
BLOCKS = "▁▂▃▄▅▆▇█"
QUIET_SECONDS = 10.0
DIRECT = ("answered", "answered_unsure")
"""Outcomes that show the answer which the gate measured, and not one from sources, for example."""
COLOURS = {"confident": "green", "undecided": "yellow", "unsure": "red"}


def gate_line(figures: Json) -> Text:
    """One line with a reply's gate decision, confidence, threshold, entropy, and the model that answered."""
    seen = figures["uncertainty"]
    answered = f"{figures['outcome'].replace('_', ' ')} by {figures['adapter'] or 'the base model'}"
    if seen is None:
        return Text(f"  conversation · {answered}")
    line = Text("  ")
    line.append(seen["decision"], style=COLOURS[seen["decision"]])
    if seen["confidence"] is not None and figures["outcome"] in DIRECT:
        line.append(f" · {seen['confidence']:.0%} likely right")
    if seen["threshold"] is not None:
        line.append(f", gate {seen['threshold']:.0%}")
    line.append(f" · mean entropy {interval(seen['mean'])} nats")
    line.append(f" · {answered}")
    return line


def show_answer(screen: Console, completion: Json) -> None:
    """One chat reply with its gate, citations and gap."""
    figures = completion["nightschool"]
    screen.print(Text(completion["choices"][0]["message"]["content"], style="bold"), soft_wrap=False)
    screen.print(gate_line(figures))
    if figures["reworded"]:
        screen.print(Text(f"  answered as: {figures['reworded']}", style="dim"))
    for citation in figures["citations"]:
        quote = " ".join(citation["quote"].split())
        place = f"{citation['source']}:{citation['start']}-{citation['end']}"
        screen.print(Text(f"  source: “{quote}” ({place})", style="dim"))
    if figures["gap_id"]:
        screen.print(Text(f"  noted as gap {figures['gap_id']}", style="dim"))


def show_run(screen: Console, events: Iterable[tuple[str, Json]]) -> tuple[str, Json]:
    """Prints a run's progress as it happens; returns the last event.

    In a terminal, counts of one phase replace each other; elsewhere they are printed every ten seconds.
    """
    last: tuple[str, Json] = ("", {})
    phase, shown = "", float("-inf")
    with screen.status("") as status:
        for last in events:
            name, data = last
            if name != "progress":
                break
            figures, now = data["figures"], data["message"].split(" ")[0]
            counts = data["step"] == "train" and figures.get("total", 0)
            if screen.is_terminal and counts:
                status.update(progress_line(data))
            elif not counts or now != phase or time.monotonic() - shown > QUIET_SECONDS:
                screen.print(progress_line(data))
                shown = time.monotonic()
            phase = now
    return last


def progress_line(event: Json) -> Text:
    """One line of a run's progress."""
    line = Text(f"  {event['at'][11:19]} ", style="dim")
    line.append(f"{event['step']:<11}", style="cyan")
    line.append(event["message"], style="default")
    return line


def show_lessons(screen: Console, asks: Json) -> None:
    """What a run asks a person to approve: its lessons by digest, their critique and a sample of pairs."""
    screen.print(Text(f"topic       {asks['topic']}, in the domain {asks['domain']}"))
    for digest in asks["digests"]:
        screen.print(Text(f"lesson      {digest}"))
    show_critique(screen, asks["critique"])
    for reason in asks["critique"]["reasons"]:
        screen.print(Text(f"{'':<12}{reason}"))
    for name in ("dropped", "left_out"):
        for reason, count in asks[name].items():
            screen.print(Text(f"{name.replace('_', ' '):<12}{count}: {reason}"))
    screen.print(Text(f"{asks['pairs']} pairs about {asks['facts']} facts, such as:"))
    for pair in asks["sample"]:
        screen.print(Text(f"  {pair['question']} -> {pair['answer']}"))
        screen.print(Text(f"    “{' '.join(pair['quote'].split())}” ({pair['source']})", style="dim"))


def show_critique(screen: Console, critique: Json) -> None:
    """The scores of a critique, and its verdict."""
    marks = ", ".join(f"{key} {critique[key]:.2f}" for key in ("relevance", "faithfulness", "quality"))
    screen.print(Text(f"critique    {marks} -> {critique['verdict']}"))


def show_report(screen: Console, report: Json) -> None:
    """A run's critique, curriculum, training, evaluation and gates, as far as it got."""
    if web := report.get("web"):
        screen.print(Text(f"the web     {len(web['stored'])} of {web['found']} pages read"))
        for each in web["skipped"]:
            screen.print(Text(f"{'':<12}{each['url']}: {each['reason']}"))
    if critique := report.get("critique"):
        show_critique(screen, critique)
    if curriculum := report.get("curriculum"):
        screen.print(
            Text(
                f"curriculum  {curriculum['facts']} facts, {curriculum['pairs_kept']} pairs kept, "
                f"{curriculum['pairs_dropped']} dropped, written by {curriculum['teacher']}"
            )
        )
    lessons = report.get("lessons") or ()
    for number, lesson in enumerate(lessons if len(lessons) > 1 else (), 1):
        line = f"lesson {number} of {len(lessons)}: {lesson['facts']} facts, {lesson['pairs']} pairs"
        screen.print(Text(f"{'':<12}{line}, {lesson['adapter'] or 'not promoted'}"))
    if training := report.get("training"):
        screen.print(
            Text(
                f"training    {training['seconds']:.0f} s, {training['tokens']} tokens, {training['recipe']}"
            )
        )
    if report.get("evaluation"):
        screen.print(evaluation_table(report["evaluation"]))
    show_confidence(screen, report)
    if gates := report.get("gates"):
        screen.print(gates_table(gates))


def show_adapter(screen: Console, adapter: Json) -> None:
    """Everything about one adapter."""
    for key in ("name", "domain", "status", "base_model", "recipe", "curriculum", "created_at", "path"):
        screen.print(Text(f"{key:<12}{adapter[key] or 'none'}"))
    for digest in adapter.get("preferences", ()):
        screen.print(Text(f"{'preferences':<12}{digest}"))
    screen.print(Text(f"{'parent':<12}{adapter['parent'] or 'the base model'}"))
    for digest in adapter["rehearsed"]:
        screen.print(Text(f"{'rehearsed':<12}{digest}"))
    screen.print(Text(f"{'training':<12}{adapter['training_seconds']:.0f} s"))
    screen.print(evaluation_table(adapter))
    show_confidence(screen, adapter)
    screen.print(gates_table(adapter["verdict"]))


def show_confidence(screen: Console, measured: Json) -> None:
    """The share of taught facts that the adapter answers confidently, and its calibration error."""
    if shares := measured.get("let_through"):
        line = f"confident on taught facts: {shares['right']:.1%} right, {shares['wrong']:.1%} wrong"
        screen.print(Text(line))
    if (gate := measured.get("gate")) and gate["error"] is not None:
        screen.print(Text(f"stated confidence is off by {gate['error']:.3f} (expected calibration error)"))


def evaluation_table(evaluation: Json) -> Wide:
    """Every question set before and after training, from a mapping with both evaluations.

    Before is the base model; for earlier lessons and forgotten facts it is the adapter that was live.
    """
    shown = plain_table()
    shown.add_column("questions", no_wrap=True)
    for column in ("count", "before", "after", "hallucinated", "ECE"):
        shown.add_column(column, justify="right", no_wrap=True)
    before, after = evaluation["before"], evaluation["after"]
    for key, label in SETS.items():
        was, now = before.get(f"{key}_live") or before.get(key), after.get(key)
        if was is None or now is None:  # there is none of its kind in this domain
            continue
        figure = "hallucination" if key == "unknown" else "accuracy"
        shown.add_row(
            label,
            str(now["count"]),
            f"{was[figure]:.1%}",
            f"{now[figure]:.1%}",
            f"{was['hallucination']:.1%} > {now['hallucination']:.1%}",
            f"{was['ece']:.2f} > {now['ece']:.2f}",
        )
    return Wide(shown)


def versions_table(domain: str, versions: Sequence[Json]) -> Wide:
    """A domain's versions, oldest first: a bar for each, and the figures of the first and the last.

    Accuracy on the own lesson, on earlier ones and on general questions, invented answers, and calibration.
    """
    live = next(
        (f"version {v['version']} is live" for v in versions if v["status"] == "live"), "none is live"
    )
    rejected = [str(v["version"]) for v in versions if v["status"] == "rejected"]
    title = f"{domain}: {live}" + (f", rejected: {', '.join(rejected)}" if rejected else "")
    shown = plain_table(Text(title))
    shown.add_column("figure", no_wrap=True)
    numbers = [version["version"] for version in versions]
    shown.add_column(f"versions {numbers[0]} to {numbers[-1]}", no_wrap=True)
    shown.add_column("first", justify="right", no_wrap=True)
    shown.add_column("last", justify="right", no_wrap=True)
    for label, figures in longitudinal(versions).items():
        if measured := [share for share in figures if share is not None]:
            shown.add_row(label, bars(figures), f"{measured[0]:.1%}", f"{measured[-1]:.1%}")
    return Wide(shown)


def longitudinal(versions: Sequence[Json]) -> dict[str, list[float | None]]:
    """Each figure of a domain's versions, oldest first; None where it was not measured."""
    return {label: [figure(version) for version in versions] for label, figure in LONGITUDINAL.items()}


def _measured(version: Json, group: str, figure: str) -> float | None:
    score = version["after"].get(group)
    return float(score[figure]) if score and score["count"] else None


def bars(shares: Sequence[float | None]) -> str:
    """A bar for each share in [0, 1]; a space for one that was not measured."""
    return "".join(" " if share is None else BLOCKS[round(share * (len(BLOCKS) - 1))] for share in shares)


def gates_table(verdict: Json) -> Wide:
    """Every gate with its goal and figure."""
    shown = plain_table()
    for column in ("gate", "figure", "goal", ""):
        shown.add_column(column, no_wrap=True)
    for check in verdict["checks"]:
        mark = Text("passed", style="green") if check["passed"] else Text("failed", style="red")
        shown.add_row(Text(check["name"]), f"{check['figure']:.3f}", Text(check["goal"]), mark)
    return Wide(shown)


def interval(bounds: Json) -> str:
    """An entropy: one number if the bounds agree to two decimals, else both."""
    lower, upper = f"{bounds['lower']:.2f}", f"{bounds['upper']:.2f}"
    return lower if lower == upper else f"{lower}..{upper}"


def age(fact: Mapping[str, Any], now: datetime) -> str:
    """Until when or since when a stale fact holds, as far as is known: see `Fact.as_of`."""
    if fact["valid_until"]:
        return f"until {fact['valid_until'][:10]}"
    if fact["dated"] and datetime.fromisoformat(fact["dated"]) <= now:
        return f"dated {fact['dated'][:10]}"
    return f"read on {fact['observed_at'][:10]}" if fact["observed_at"] else "read on an unknown day"
