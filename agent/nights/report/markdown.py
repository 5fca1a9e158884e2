"""The morning report as Markdown that also reads well in a terminal."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from agent.nights.report.records import MorningReport, NightFigures
from agent.nights.report.sentences import one_line
from memory.language.counting import counted

LONGEST_CELL = 90
"""Characters of a question in a table."""
NIGHTS_SHOWN = 14
_SYNTAX = re.compile(r"([\\`*\[\]|]|<(?=[A-Za-z/!?]))")
"""Characters that could turn what users wrote into links, images, HTML or another column."""


def markdown(report: MorningReport) -> str:
    """The report, with a section for each question that a reader has in the morning."""
    sections = (
        ("People should look at", _list(report.attention) or "Nothing."),
        ("Asked", _asked(report)),
        ("Scored", _scored(report)),
        ("Revised", _revised(report)),
        ("Learned", _learned(report)),
        ("Attacked", _attacked(report)),
        ("Skew", _skew(report)),
        ("Refused", _list(report.refused) or "Nothing."),
        ("Forgotten", _list(report.forgotten) or "Nothing."),
        ("Steps", _steps(report)),
        ("Nights", _nights([*report.history, report.figures])),
    )
    parts = [f"# Night of {report.until:%Y-%m-%d}, {report.domain}", _head(report)]
    parts += [f"## {title}\n\n{text}" for title, text in sections]
    return "\n\n".join(parts) + "\n"


def _head(report: MorningReport) -> str:
    took = ""
    if report.ended_at is not None:
        took = f", in {_minutes((report.ended_at - report.began_at).total_seconds())}"
    reason = f": {plain(report.reason)}" if report.reason else ""
    return (
        f"{report.status.capitalize()}{reason}. It went over {counted(report.turns, 'turn')} of"
        f" {counted(report.units, 'user or conversation', 'users or conversations')}, from"
        f" {_moment(report.since)} to"
        f" {_moment(report.until)}{took}. Id: {report.night_id}"
    )


def _asked(report: MorningReport) -> str:
    if not report.topics:
        return "No topics were found."
    rows = [
        (
            plain(topic.label),
            str(topic.count),
            str(topic.units),
            topic.trend,
            str(topic.gaps),
            str(topic.dissatisfied),
            plain(topic.question),
        )
        for topic in report.topics
    ]
    return _table(("topic", "questions", "users", "trend", "gaps", "unhappy", "such as"), rows)


def _scored(report: MorningReport) -> str:
    count = sum(report.brackets.values())
    if not count:
        return "No answers were scored."
    low, middle, high = (report.brackets.get(bracket, 0) for bracket in ("low", "middle", "high"))
    quality, coverage = report.figures.quality, report.figures.coverage
    text = f"{counted(count, 'answer')}: {low} low (below 5), {middle} middle, {high} high (from 8)"
    text += "." if quality is None else f"; {quality:.1f} of 10 on average."
    if coverage is not None:
        text += f" {coverage:.0%} of the questions were answered."
    if report.complaints:
        text += f"\n\nWhat lowered the low ones most:\n\n{_list(report.complaints)}"
    return text


def _revised(report: MorningReport) -> str:
    if not report.revisions:
        return "Nothing was revised."
    counts = ", ".join(f"{count} {status.replace('_', ' ')}" for status, count in report.revisions.items())
    rows = [
        (
            plain(name),
            str(each.written),
            str(each.improved),
            f"{each.rise:+.1f}" if each.improved else "",
            f"{each.tokens:,}",
        )
        for name, each in report.strategies.items()
    ]
    columns = ("strategy", "answers", "improved", "score", "tokens")
    text = f"{counted(sum(report.revisions.values()), 'answer')}: {counts}."
    return f"{text}\n\n{_table(columns, rows)}" if rows else text


def _learned(report: MorningReport) -> str:
    golden = ", ".join(f"{count} {form}" for form, count in sorted(report.golden.items()))
    parts = [f"Golden pairs: {golden}." if golden else "No golden pairs were found."]
    for adapter in report.adapters:
        source = adapter.curriculum or adapter.preferences or ""
        kind = "curriculum" if adapter.curriculum else "preferences"
        parts.append(f"Adapter {adapter.name} ({adapter.status}), trained on {kind} {source[:12]}:")
        parts.append(_list([*adapter.gates, *([adapter.retained] if adapter.retained else [])]))
    if report.deployed is not None:
        parts.append(f"{report.deployed} is live since then.")
    else:
        parts.append("No adapter was deployed." if report.adapters else "Nothing was trained.")
    return "\n\n".join(part for part in parts if part)


def _attacked(report: MorningReport) -> str:
    rows = [
        (kind.replace("_", " "), str(each.fell), str(each.held), str(each.evaded))
        for kind, each in report.attacks.items()
    ]
    return _table(("attack", "fell", "held", "evaded"), rows) if rows else "The model was not attacked."


def _skew(report: MorningReport) -> str:
    if report.skew is None:
        return "It is measured at the end of the night."
    rows = [
        (
            each.aspect,
            str(each.learned),
            f"{each.effective:.1f}",
            str(each.asked),
            f"{each.effective_asked:.1f}",
            "" if each.divergence is None else f"{each.divergence:.2f}",
            ", ".join(f"{plain(c.name)} {c.learned:.0%} of {c.asked:.0%}" for c in each.categories[:3]),
        )
        for each in report.skew.aspects
    ]
    columns = ("aspect", "learned", "effective", "asked", "effective", "bits", "largest")
    return _table(columns, rows) if rows else "Nothing could be read."


def _steps(report: MorningReport) -> str:
    rows = [
        (
            step.step,
            step.status,
            _minutes(step.seconds),
            plain(one_line(step.reason) or _named(step.figures), longest=200),
        )
        for step in report.steps
    ]
    return _table(("step", "status", "took", "what"), rows) if rows else "None was begun."


def _nights(nights: Sequence[NightFigures]) -> str:
    rows = [
        (
            f"{night.at:%Y-%m-%d}",
            str(night.turns),
            "" if night.quality is None else f"{night.quality:.1f}",
            "" if night.coverage is None else f"{night.coverage:.0%}",
            "" if night.perplexity is None else f"{night.perplexity:.2f}",
            "" if night.safety is None else f"{night.safety:.0%}",
        )
        for night in nights[-NIGHTS_SHOWN:]
    ]
    return _table(("night", "turns", "quality", "coverage", "perplexity", "safety"), rows)


def plain(text: str, *, longest: int = LONGEST_CELL) -> str:
    """Text of users or models on one line, shortened, with Markdown's syntax escaped."""
    line = " ".join(text.split())
    shown = line if len(line) <= longest else line[: longest - 3].rstrip() + "..."
    return _SYNTAX.sub(r"\\\1", shown)


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table whose columns are aligned, so that it can be read without rendering it."""
    lines = [tuple(columns), *map(tuple, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(columns))]
    shown = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |"
        for line in lines
    ]
    ruled = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([shown[0], ruled, *shown[1:]])


def _list(sentences: Iterable[str]) -> str:
    return "\n".join(f"- {plain(sentence, longest=500)}" for sentence in sentences)


def _named(figures: Mapping[str, float]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in figures.items())


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.1f} s"


def _moment(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
