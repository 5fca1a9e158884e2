"""Tests whether a model can judge answers, by words and by log-probabilities, compared with our rules."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter

from agent.chat.calibration import auroc
from agent.grading import is_correct
from agent.models.study.answer_log import LoggedAnswer, StudyPrompt, question_prompt
from memory.records.base import Record, Share

CASES = Path(__file__).with_name("judge_cases.jsonl")
UNLIKELY = -20.0
"""Log-probability, in nats, assumed for a word that is not among the reported alternatives."""
UNAIDED = "asked, without it"


class JudgeCase(Record):
    """A question with its right answer, and an answer that is right or wrong."""

    question: str
    reference: str
    answer: str
    right: bool


class JudgingScore(Record):
    """How well one method judges answers."""

    way: str
    accuracy: Share
    """Share of cases judged correctly; neither yes nor no counts as wrong."""
    auroc: float | None
    """Of the log-odds of yes; None for methods without a score."""


def read_cases(path: Path = CASES) -> tuple[JudgeCase, ...]:
    """The shipped cases."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return tuple(TypeAdapter(JudgeCase).validate_json(line) for line in lines)


def judge_prompts(cases: Sequence[JudgeCase]) -> list[StudyPrompt]:
    """Prompts for all cases with the reference answer, then for all without it."""
    with_gold = [WITH_GOLD.format(**case.model_dump()) for case in cases]
    without_gold = [WITHOUT_GOLD.format(**case.model_dump()) for case in cases]
    texts = (*with_gold, *without_gold)
    return [question_prompt(text, 8).model_copy(update={"top_logprobs": 20}) for text in texts]


def score_judgements(cases: Sequence[JudgeCase], answers: Sequence[LoggedAnswer]) -> tuple[JudgingScore, ...]:
    """Scores the model's answers to `judge_prompts`, and our grading rules for comparison."""
    count = len(cases)
    right = np.asarray([case.right for case in cases])
    scores = []
    for name, replies in (("with the right answer", answers[:count]), ("without it", answers[count:])):
        words = [answer.text.strip().lower() for answer in replies]
        verdicts = [True if w.startswith("yes") else False if w.startswith("no") else None for w in words]
        hits = sum(verdict is case.right for verdict, case in zip(verdicts, cases, strict=True))
        scores.append(JudgingScore(way=f"asked, {name}", accuracy=hits / count, auroc=None))
        odds = np.asarray([_log_odds(answer) for answer in replies])
        scores.append(
            JudgingScore(
                way=f"log-probability of yes, {name}",
                accuracy=float(((odds > 0) == right).mean()),
                auroc=auroc(odds, right),
            )
        )
    hits = sum(is_correct(case.answer, [case.reference]) == case.right for case in cases)
    return (*scores, JudgingScore(way="rules (agent.grading)", accuracy=hits / count, auroc=None))


def unaided_accuracy(scores: Sequence[JudgingScore]) -> float | None:
    """Accuracy of the model when asked without the right answer; None if it was not asked."""
    return next((score.accuracy for score in scores if score.way == UNAIDED), None)


def _log_odds(answer: LoggedAnswer) -> float:
    """Log-odds of yes against no as the first token."""
    if not answer.tokens:
        return 0.0
    best = {"yes": UNLIKELY, "no": UNLIKELY}
    for other in answer.tokens[0].alternatives:
        word = other.text.strip().lower()
        if word in best:
            best[word] = max(best[word], other.logprob)
    return best["yes"] - best["no"]


WITH_GOLD = """\
Question: {question}
Right answer: {reference}
A student's answer: {answer}

Is the student's answer right? Reply with yes or no."""

WITHOUT_GOLD = """\
Question: {question}
A student's answer: {answer}

Is the student's answer right? Reply with yes or no."""
