"""The report of growing as files: Markdown for people, JSON for programs."""

from collections.abc import Sequence
from pathlib import Path

from agent.growth.records import GrownDomain, GrowthReport, NetGain
from memory.outbox.files import write_atomically

NAME = "report"


def write_report(report: GrowthReport, folder: Path) -> Path:
    """Writes report.json and report.md into the folder; returns the page's path. Raises OSError."""
    document = report.model_dump_json(indent=1) + "\n"
    write_atomically(folder / f"{NAME}.json", document)
    path = folder / f"{NAME}.md"
    write_atomically(path, page(report))
    return path


def page(report: GrowthReport) -> str:
    """The Markdown page."""
    parts = [
        f"# From {report.source} to {report.target}",
        verdict(report),
        f"Lever: {report.lever}. {report.seconds:.0f} s of training and measuring in all.",
        "Each model was asked held-out wordings of the lessons, without sources. Net gain: the share that"
        f" {report.target} with its lessons answers rightly, less the share of {report.source} with its own,"
        " less what it forgot of general questions beyond that; in points, with the 95% interval of the"
        " paired difference.",
        _table(
            (
                "domain",
                "lessons moved",
                "questions",
                *_columns(report),
                "forgot, points",
                "training, s",
                "net gain",
            ),
            [_row(domain) for domain in report.domains],
        ),
        *(_section(domain) for domain in report.domains),
    ]
    return "\n\n".join(parts) + "\n"


def verdict(report: GrowthReport) -> str:
    """One sentence: whether growing paid."""
    moved = sum(domain.transferred for domain in report.domains)
    total = sum(len(domain.lessons) for domain in report.domains)
    lessons = f"{moved} of {total} lessons moved"
    if report.gain is None:
        return f"Nothing was measured: {lessons}."
    said = {
        "yes": "It paid",
        "no": "It did not pay",
        "undecided": "Whether it paid is undecided",
        "not measured": "",
    }[report.paid]
    return f"{said}: net gain {_gain(report.gain)} on {report.gain.questions} questions; {lessons}."


def _columns(report: GrowthReport) -> tuple[str, ...]:
    return (f"{report.source}, before and after", f"{report.target}, before and after")


def _row(domain: GrownDomain) -> tuple[str, ...]:
    return (
        domain.domain,
        f"{domain.transferred} of {len(domain.lessons)}",
        str(domain.questions),
        f"{_share(domain.source_before)}, {_share(domain.source_after)}",
        f"{_share(domain.target_before)}, {_share(domain.target_after)}",
        f"{domain.source_forgot:.1f}, {domain.target_forgot:.1f}",
        f"{domain.training_seconds:.0f}",
        _gain(domain.gain) if domain.gain else "not measured",
    )


def _section(domain: GrownDomain) -> str:
    adapters = (
        f"{domain.source_adapter} to {domain.target_adapter or 'the base model, which learned nothing'}"
    )
    lines = [
        f"- {lesson.digest[:12]} {lesson.topic}: {lesson.status}: {lesson.reason}"
        for lesson in domain.lessons
    ]
    notes = [f"Note: {note}." for note in domain.notes]
    return "\n\n".join([f"## {domain.domain}", f"{adapters}.", "\n".join(lines), *notes])


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _share(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"


def _gain(gain: NetGain) -> str:
    return f"{gain.points:+.1f} ({gain.low:+.1f} to {gain.high:+.1f})"
