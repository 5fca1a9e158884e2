"""Part `scorer`: how well the night's scores tell right answers from wrong ones, on people's questions."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass

from agent.nights.scoring.evidence import ScoringEvidence, gather_evidence
from agent.nights.scoring.score import score_turns
from agent.nights.scoring.scorer import CRITERIA, Scorer, standard_scorer
from agent.nights.scoring.style_bias import style_bias
from agent.nights.scoring.truth_set import TruthItem
from benchmarks.night import figures as compute
from benchmarks.night.bench import Bench
from benchmarks.night.graded import GradedTurn, graded_turns, open_people
from benchmarks.night.library import Library
from benchmarks.parts import PartResult
from memory.database.database import open_database
from memory.feedback.feedback import FeedbackStore
from memory.records.access import EVERYTHING
from memory.records.nights import AnswerScore
from memory.results import Table, rows

BATCH = 20
STYLED, QUICK_STYLED = 40, 4
"""Answers that are scored in every style."""
SERVED = ("with sources", "closed-book")
"""The answers that a service would give."""


@dataclass(frozen=True)
class Scored:
    """A graded answer with its score and what it was judged by."""

    graded: GradedTurn
    score: AnswerScore
    evidence: ScoringEvidence


async def measure(bench: Bench) -> PartResult:
    """Scores the graded answers and compares with the grades."""
    library, people = await open_people(bench)
    answers = await graded_turns(bench, library, people)
    scorer = standard_scorer(bench.embedder, bench.card.declines)
    scored = await score_all(bench, library, answers, scorer)
    figures = compute.present(score_figures(scored)) | await _style_figures(bench, scorer, scored)
    return PartResult(
        part="scorer", figures=figures, tables=(_kinds_table(scored), _criteria_table(scored, figures))
    )


async def score_all(
    bench: Bench, library: Library, answers: Sequence[GradedTurn], scorer: Scorer
) -> list[Scored]:
    """The scores of all answers, in their order, as a night gives them."""
    database = await open_database(f"sqlite:///{bench.home / 'scorer.db'}")
    feedback, scored = FeedbackStore(database), list[Scored]()
    progress = bench.progress("scores", len(answers))
    try:
        for start in range(0, len(answers), BATCH):
            batch = answers[start : start + BATCH]
            turns = [each.turn for each in batch]
            evidence = await gather_evidence(
                turns,
                episodic=library.episodic,
                semantic=library.semantic,
                feedback=feedback,
                access=EVERYTHING,
            )
            scores = await asyncio.to_thread(score_turns, turns, evidence, scorer)
            scored += [Scored(one, score, evidence) for one, score in zip(batch, scores, strict=True)]
            progress.step(len(batch))
    finally:
        await database.aclose()
    return scored


def score_figures(scored: Sequence[Scored]) -> dict[str, float | None]:
    """AUROC of the score, of length alone and of each criterion, and the calibration error."""
    values, right = _values(scored), [each.graded.right for each in scored]
    served = [each for each in scored if each.graded.kind in SERVED]
    overall = compute.separation(values, right)
    length = compute.length_separation([each.graded.turn.answer for each in scored], right)
    figures: dict[str, float | None] = {
        "scorer, answers": len(scored),
        "scorer, AUROC": overall,
        "scorer, AUROC of the model's own answers": compute.separation(
            _values(served), [each.graded.right for each in served]
        ),
        "scorer, AUROC of length alone": length,
        "scorer, AUROC over that of length alone": None
        if overall is None or length is None
        else overall - length,
        "scorer, calibration error": compute.score_error(values, right),
        "scorer, calibration error of the model's own answers": compute.score_error(
            _values(served), [each.graded.right for each in served]
        ),
    }
    for criterion in CRITERIA:
        judged = [each for each in scored if criterion in each.score.criteria]
        figures[f"scorer, AUROC of {criterion}"] = compute.separation(
            [each.score.criteria[criterion] for each in judged], [each.graded.right for each in judged]
        )
    return figures


async def _style_figures(bench: Bench, scorer: Scorer, scored: Sequence[Scored]) -> dict[str, float]:
    count = min(QUICK_STYLED if bench.quick else STYLED, len(scored))
    sample = random.Random(1).sample(list(scored), count)
    items = [
        TruthItem(
            case=each.graded.question.text,
            turn=each.graded.turn,
            evidence=each.evidence.turns[each.graded.turn.id],
            good=each.graded.right,
            criterion="correctness",
        )
        for each in sample
    ]
    shifts = await asyncio.to_thread(style_bias, scorer, items)
    figures = {f"scorer, shift of style {name}, points": shift for name, shift in shifts.items()}
    largest = max((abs(shift) for shift in shifts.values()), default=0.0)
    return figures | {"scorer, largest style shift, points": largest}


def _kinds_table(scored: Sequence[Scored]) -> Table:
    lines = []
    for kind in dict.fromkeys(each.graded.kind for each in scored):
        own = [each for each in scored if each.graded.kind == kind]
        right = [each for each in own if each.graded.right]
        wrong = [each for each in own if not each.graded.right]
        lines.append((kind, len(own), compute.share(e.graded.right for e in own), _mean(right), _mean(wrong)))
    return Table(
        title="Scores by kind of answer",
        text="Answers of the model from the library and without it, gold answers, and gold answers to other "
        "questions with the same question word. Declining is right where the library has no answer.",
        head=("answers", "number", "right", "mean score if right", "mean score if wrong"),
        rows=rows([["" if cell is None else cell for cell in line] for line in lines]),
    )


def _criteria_table(scored: Sequence[Scored], figures: dict[str, float]) -> Table:
    lines = []
    for criterion in CRITERIA:
        judged = [each for each in scored if criterion in each.score.criteria]
        area = figures.get(f"scorer, AUROC of {criterion}")
        lines.append((criterion, len(judged), "not measured" if area is None else area))
    return Table(
        title="Criteria",
        text="How well each criterion alone separates right from wrong, among the answers it could judge. "
        "There is no feedback in this data.",
        head=("criterion", "judged", "AUROC"),
        rows=rows(lines),
    )


def _values(scored: Sequence[Scored]) -> list[float]:
    return [each.score.value for each in scored]


def _mean(scored: Sequence[Scored]) -> float | None:
    return sum(_values(scored)) / len(scored) if scored else None
