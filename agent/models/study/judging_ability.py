"""Whether a model can judge answers, by its words and by its log-probabilities, beside our rules."""

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
"""Log-probability, in nats, of a word that is not among the reported alternatives."""


class JudgeCase(Record):
    """A question with its right answer, and an answer that is right or wrong."""

    question: str
    reference: str
    answer: str
    right: bool


class JudgingScore(Record):
    """How well answers were judged one way."""

    way: str
    accuracy: Share
    """Share of the cases judged rightly; saying neither yes nor no is wrong."""
    auroc: float | None
    """Of the log-odds of yes; None for ways that give no score."""


def read_cases(path: Path = CASES) -> tuple[JudgeCase, ...]:
    """The shipped cases."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return tuple(TypeAdapter(JudgeCase).validate_json(line) for line in lines)


def judge_prompts(cases: Sequence[JudgeCase]) -> list[StudyPrompt]:
    """Each case twice: all of them with the right answer in view, then all without."""
    told = [WITH_GOLD.format(**case.model_dump()) for case in cases]
    alone = [WITHOUT_GOLD.format(**case.model_dump()) for case in cases]
    return [question_prompt(text, 8).model_copy(update={"top_logprobs": 20}) for text in (*told, *alone)]


def score_judgements(cases: Sequence[JudgeCase], answers: Sequence[LoggedAnswer]) -> tuple[JudgingScore, ...]:
    """How well the model judged, from the answers to `judge_prompts`, and how well our rules do."""
    count = len(cases)
    right = np.asarray([case.right for case in cases])
    found = []
    for name, said in (("with the right answer", answers[:count]), ("without it", answers[count:])):
        words = [answer.text.strip().lower() for answer in said]
        spoken = [True if w.startswith("yes") else False if w.startswith("no") else None for w in words]
        hits = sum(verdict is case.right for verdict, case in zip(spoken, cases, strict=True))
        found.append(JudgingScore(way=f"asked, {name}", accuracy=hits / count, auroc=None))
        odds = np.asarray([_log_odds(answer) for answer in said])
        found.append(
            JudgingScore(
                way=f"log-probability of yes, {name}",
                accuracy=float(((odds > 0) == right).mean()),
                auroc=auroc(odds, right),
            )
        )
    ruled = sum(is_correct(case.answer, [case.reference]) == case.right for case in cases)
    return (*found, JudgingScore(way="rules (agent.grading)", accuracy=ruled / count, auroc=None))


def _log_odds(answer: LoggedAnswer) -> float:
    """Log-probability of yes over no as the first token."""
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
