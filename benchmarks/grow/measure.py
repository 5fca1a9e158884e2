"""Moves one domain and asks both models people's questions, and the lessons' held-out wordings."""

from collections.abc import Sequence
from functools import partial

from agent.growth.closed_book import Question, closed_book
from agent.growth.engines import OneEngine
from agent.growth.gain import net_gain
from agent.growth.records import ClosedBook, GrownDomain
from agent.growth.report import verdict
from agent.growth.transfer import Growing, grow
from agent.models.store import AddedModel
from memory.adapters.base import AdapterRegistry
from memory.records.base import Domain
from memory.results import Result, Table, rows

NAME = "grow"


async def measured(
    growing: Growing, domain: Domain, questions: Sequence[Question], *, passages: int, command: str
) -> Result:
    """The figures of moving the domain; `questions` are people's, about what its lessons teach from so many
    passages.

    Raises what `grow` raises, and ValueError without questions.
    """
    report = await grow(growing, domain)
    (grown,) = report.domains
    engines = OneEngine(growing.open_engine, growing.source_adapters, growing.target_adapters)

    async def ask(model: AddedModel, registry: AdapterRegistry) -> list[ClosedBook]:
        live = registry.live(domain)
        return [
            await closed_book(
                questions,
                model.card,
                adapter.name if adapter else None,
                partial(engines.of, model, adapter),
                growing.folder / "answers",
                monotonic=growing.monotonic,
            )
            for adapter in (None, live)
        ]

    source = await ask(growing.source, growing.source_adapters)
    target = await ask(growing.target, growing.target_adapters)
    people = net_gain(
        source[-1].right,
        target[-1].right,
        forgot_more=max(0.0, grown.target_forgot - grown.source_forgot),
    )
    figures = {
        "lessons moved": float(grown.transferred),
        "lessons": float(len(grown.lessons)),
        "people's questions": float(len(questions)),
        "people's questions, source before": _share(source[0]),
        "people's questions, source after": _share(source[1]),
        "people's questions, target before": _share(target[0]),
        "people's questions, target after": _share(target[1]),
        "people's questions, net gain, points": people.points,
        "people's questions, net gain, points, low": people.low,
        "people's questions, net gain, points, high": people.high,
        **_held_out(grown),
        "forgot by the source, points": grown.source_forgot,
        "forgot by the target, points": grown.target_forgot,
        "seconds of training": grown.training_seconds,
        "seconds a passage": grown.training_seconds / passages,
    }
    lessons = [(each.digest[:12], each.facts, each.status, each.reason) for each in grown.lessons]
    return Result(
        name=NAME,
        title=f"Growing from {report.source} to {report.target}",
        command=command,
        seconds=report.seconds,
        figures=figures,
        goals={},
        tables=(
            Table(
                title="Figures",
                text=f"{verdict(report)} Net gain of people's questions: {people.points:+.1f} points"
                f" ({people.low:+.1f} to {people.high:+.1f}), paid: {people.paid}.",
                head=("figure", "measured"),
                rows=rows(list(figures.items())),
            ),
            Table(
                title="Lessons",
                text="As the source's live adapter learned them, taught again to the target.",
                head=("lesson", "facts", "status", "reason"),
                rows=rows(lessons),
            ),
        ),
    )


def _held_out(grown: GrownDomain) -> dict[str, float]:
    shares = {
        "source before": grown.source_before,
        "source after": grown.source_after,
        "target before": grown.target_before,
        "target after": grown.target_after,
    }
    return {f"held-out wordings, {name}": share for name, share in shares.items() if share is not None}


def _share(answers: ClosedBook) -> float:
    share = answers.accuracy
    assert share is not None, "`net_gain` refuses no questions"
    return share
