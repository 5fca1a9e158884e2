"""Part `revision`: what each strategy makes of low answers, judged by gold answers."""

import random
import time
from collections.abc import Sequence
from datetime import UTC, datetime

from agent.nights.revision.lessons import Lessons
from agent.nights.revision.rescoring import rescoring
from agent.nights.revision.revise import RevisionDeps, revise_turn
from agent.nights.revision.strategies import STRATEGIES
from agent.nights.scoring.scorer import standard_scorer
from benchmarks.night import figures as compute
from benchmarks.night.bench import Bench
from benchmarks.night.graded import graded_turns, is_right, open_people
from benchmarks.night.library import Library
from benchmarks.night.lines import Lines
from benchmarks.night.scorer import SERVED, Scored, score_all
from benchmarks.parts import PartResult
from memory.database.database import open_database
from memory.feedback.feedback import FeedbackStore
from memory.records.access import EVERYTHING
from memory.records.base import Record
from memory.records.nights import RevisionStatus
from memory.results import Table, rows

ANSWERS, QUICK_ANSWERS = 24, 2
"""Low answers per strategy, at most; one after the other, so that their time can be told."""
SEED = 19


class Revised(Record):
    """What one strategy made of one low answer."""

    strategy: str
    turn_id: str
    status: RevisionStatus
    before: bool
    """Whether the answer was right, by the gold answer."""
    after: bool
    """Whether what the night would keep is right."""
    tokens: int
    seconds: float


async def measure(bench: Bench) -> PartResult:
    """Tries each strategy alone, once, on the same low answers."""
    library, people = await open_people(bench)
    answers = await graded_turns(bench, library, people)
    scorer = standard_scorer(bench.embedder, bench.card.declines)
    scored = await score_all(bench, library, [a for a in answers if a.kind in SERVED], scorer)
    low = [each for each in scored if each.score.bracket == "low"]
    most = min(QUICK_ANSWERS if bench.quick else ANSWERS, len(low))
    chosen = random.Random(SEED).sample(low, most)
    lines = Lines(bench.home / "revised.jsonl", Revised)
    database = await open_database(f"sqlite:///{bench.home / 'revision.db'}")
    try:
        for strategy in STRATEGIES:
            started = time.monotonic()
            await _with_strategy(strategy, chosen, bench, library, FeedbackStore(database), lines)
            bench.say(f"{strategy}: {time.monotonic() - started:.0f} s")
    finally:
        await database.aclose()
    ids = {each.graded.turn.id for each in chosen}
    revised = [each for each in lines.all if each.turn_id in ids]
    figures = revision_figures(revised)
    return PartResult(part="revision", figures=figures, tables=(_table(revised),))


def revision_figures(revised: Sequence[Revised]) -> dict[str, float]:
    """Figures per strategy, and those that the goals are about."""
    figures: dict[str, float | None] = {}
    made_right: list[float] = []
    for strategy, own in _by_strategy(revised).items():
        right = compute.share(each.after for each in own if not each.before)
        made_right += [] if right is None else [right]
        improved = sum(each.status == "improved" for each in own)
        figures |= {
            f"revision, {strategy}, improved": improved / len(own),
            f"revision, {strategy}, wrong made right": right,
            f"revision, {strategy}, right made wrong": compute.share(
                not each.after for each in own if each.before
            ),
            f"revision, {strategy}, unverified": compute.share(
                each.status in ("unverified", "needs_person") for each in own
            ),
            f"revision, {strategy}, tokens per improved": _per(sum(each.tokens for each in own), improved),
            f"revision, {strategy}, seconds per improved": _per(sum(each.seconds for each in own), improved),
        }
    figures["revision, right answers made wrong"] = compute.share(
        not each.after for each in revised if each.before
    )
    if made_right:
        figures["revision, low answers made right by the best strategy"] = max(made_right)
    return compute.present(figures)


async def _with_strategy(
    strategy: str,
    chosen: Sequence[Scored],
    bench: Bench,
    library: Library,
    feedback: FeedbackStore,
    lines: Lines[Revised],
) -> None:
    scorer = standard_scorer(bench.embedder, bench.card.declines)
    stores = {"episodic": library.episodic, "semantic": library.semantic, "access": EVERYTHING}
    deps = RevisionDeps(
        ask=library.ask,
        score=rescoring(scorer, feedback=feedback, **stores),  # type: ignore[arg-type]
        embedder=bench.embedder,
        card=bench.card,
        lessons=Lessons(bench.embedder),
        **stores,  # type: ignore[arg-type]
    )
    done = {each.turn_id for each in lines.all if each.strategy == strategy}
    progress = bench.progress(strategy, len(chosen))
    for each in chosen:
        graded = each.graded
        if graded.turn.id not in done:
            started = time.monotonic()
            revision = await revise_turn(
                graded.turn,
                each.score,
                deps,
                night_id=f"bench-{strategy}",
                strategies=(strategy,),
                attempts=1,
                now=datetime.now(UTC),
            )
            improved = revision.status == "improved"
            quotes = " ".join(citation.quote for citation in revision.citations)
            after = (
                is_right(graded.question, revision.answer, quotes, declined=False)
                if improved
                else graded.right
            )
            lines.add(
                Revised(
                    strategy=strategy,
                    turn_id=graded.turn.id,
                    status=revision.status,
                    before=graded.right,
                    after=after,
                    tokens=revision.tokens,
                    seconds=time.monotonic() - started,
                )
            )
        progress.step()


def _by_strategy(revised: Sequence[Revised]) -> dict[str, list[Revised]]:
    names = dict.fromkeys(each.strategy for each in revised)
    return {name: [each for each in revised if each.strategy == name] for name in names}


def _per(amount: float, count: int) -> float | None:
    return amount / count if count else None


def _table(revised: Sequence[Revised]) -> Table:
    lines = []
    for strategy, own in _by_strategy(revised).items():
        improved = [each for each in own if each.status == "improved"]
        lines.append(
            (
                strategy,
                len(own),
                len(improved),
                sum(each.after for each in improved),
                sum(each.before and not each.after for each in own),
                sum(each.status in ("unverified", "needs_person") for each in own),
                sum(each.tokens for each in own),
                f"{sum(each.seconds for each in own):.0f}",
            )
        )
    return Table(
        title="Revision by strategy",
        text="Each strategy alone, with one attempt, on the same answers with a low score. An answer counts "
        "as improved if the night would archive it: verified by the sources and at least one point better. "
        "`right`: of the improved ones, those that hold the gold answer. `made worse`: right by the gold "
        "answer before, and wrong after.",
        head=("strategy", "answers", "improved", "right", "made worse", "unverified", "tokens", "seconds"),
        rows=rows(lines),
    )
