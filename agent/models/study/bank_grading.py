"""Grading what a model said to the bank: labels for the gate, what it knows, and its scores by domain."""

import math
from collections.abc import Mapping, Sequence

from agent.chat.calibration import Label
from agent.chat.gate import form_of, signals
from agent.grading import admits_ignorance, is_correct
from agent.models.bank.records import BankQuestion, InventedQuestion
from agent.models.card import DomainScore, GeneralQuestion, QuestionDomain, UnknownQuestion
from agent.models.study.answer_log import LoggedAnswer
from agent.models.study.study_questions import DOMAINS, FURTHER

POPULAR, RARE = 1 / 3, 1 / 3
"""Shares of a domain's questions, by the popularity of what they name, that a model should know and is
unlikely to know."""


def bank_labels(
    bank: Sequence[BankQuestion], answers: Sequence[LoggedAnswer], declines: Sequence[str]
) -> list[Label]:
    """One label a question, from its first wording; answers that decline are none."""
    return [
        _label(question.id, answer, is_correct(answer.text, question.answers))
        for question, answer in zip(bank, answers, strict=True)
        if answer.text.strip() and not admits_ignorance(answer.text, declines)
    ]


def invented_labels(
    invented: Sequence[InventedQuestion], answers: Sequence[LoggedAnswer], declines: Sequence[str]
) -> list[Label]:
    """One label a question: whatever is said of a name that does not exist is wrong, unless it declines."""
    return [
        _label(question.id, answer, False)
        for question, answer in zip(invented, answers, strict=True)
        if answer.text.strip() and not admits_ignorance(answer.text, declines)
    ]


def general_questions(
    bank: Sequence[BankQuestion], answers: Mapping[str, Sequence[LoggedAnswer]]
) -> tuple[GeneralQuestion, ...]:
    """Every question of the bank, known if at least two wordings were asked and all were answered rightly.

    `answers` are those to the wordings that were asked, by the question's id.
    """
    return tuple(
        GeneralQuestion(
            id=question.id,
            domain=question.domain,
            wordings=question.wordings[: FURTHER + 1],
            answers=question.answers,
            known=len(answers[question.id]) > 1
            and all(is_correct(answer.text, question.answers) for answer in answers[question.id]),
        )
        for question in bank
    )


def unknown_questions(invented: Sequence[InventedQuestion]) -> tuple[UnknownQuestion, ...]:
    """All of them: nobody can know what does not exist."""
    return tuple(
        UnknownQuestion(id=q.id, domain=q.domain, name=q.name, wordings=q.wordings) for q in invented
    )


def domain_scores(
    bank: Sequence[BankQuestion], answers: Sequence[LoggedAnswer]
) -> dict[QuestionDomain, DomainScore]:
    """How each domain was answered, with the mean entropy of what should be known and of what should not."""
    scores: dict[QuestionDomain, DomainScore] = {}
    for domain in DOMAINS:
        asked = [(q, a) for q, a in zip(bank, answers, strict=True) if q.domain == domain]
        if not asked:
            continue
        popular, rare = by_popularity(asked)
        scores[domain] = DomainScore(
            questions=len(asked),
            right=sum(is_correct(a.text, q.answers) for q, a in asked) / len(asked),
            mean_entropy_known=_mean_entropy([a for _, a in popular]),
            mean_entropy_unlikely=_mean_entropy([a for _, a in rare]),
        )
    return scores


def by_popularity(
    asked: Sequence[tuple[BankQuestion, LoggedAnswer]],
) -> tuple[list[tuple[BankQuestion, LoggedAnswer]], list[tuple[BankQuestion, LoggedAnswer]]]:
    """The questions about what many know and those about what few do; without a popularity in neither."""
    ranked = sorted(
        (pair for pair in asked if pair[0].popularity is not None),
        key=lambda pair: -(pair[0].popularity or 0.0),
    )
    return ranked[: round(len(ranked) * POPULAR)], ranked[round(len(ranked) * (1 - RARE)) :]


def _mean_entropy(answers: Sequence[LoggedAnswer]) -> float | None:
    """Nats, at the upper bound, over the answers' means."""
    means = [signals(answer.tokens).mean.upper for answer in answers if answer.tokens]
    return math.fsum(means) / len(means) if means else None


def _label(group: str, answer: LoggedAnswer, right: bool) -> Label:
    seen = signals(answer.tokens)
    return Label(group=group, form=form_of(seen), seen=seen, right=right)
