"""Grades a model's answers to the question bank: labels for the gate, known questions, scores by domain."""

import math
from collections.abc import Mapping, Sequence

from agent.chat.calibration import Label
from agent.chat.gate import answer_form, answer_signals
from agent.grading import admits_ignorance, is_correct
from agent.models.bank.records import BankQuestion, InventedQuestion
from agent.models.card import DomainScore, GeneralQuestion, QuestionDomain, UnknownQuestion
from agent.models.study.answer_log import LoggedAnswer
from agent.models.study.study_questions import DOMAINS, FURTHER_WORDINGS

POPULAR, RARE = 1 / 3, 1 / 3
"""Shares of a domain's questions, ranked by popularity, that a model should know and is unlikely to know."""


def bank_labels(
    bank: Sequence[BankQuestion], answers: Sequence[LoggedAnswer], declines: Sequence[str]
) -> list[Label]:
    """One label per question, from its first wording, without empty and declining answers."""
    return [
        _label(question.id, answer, is_correct(answer.text, question.answers))
        for question, answer in zip(bank, answers, strict=True)
        if answer.text.strip() and not admits_ignorance(answer.text, declines)
    ]


def invented_labels(
    invented: Sequence[InventedQuestion], answers: Sequence[LoggedAnswer], declines: Sequence[str]
) -> list[Label]:
    """One label per question: any answer about an invented name is wrong, unless it declines."""
    return [
        _label(question.id, answer, False)
        for question, answer in zip(invented, answers, strict=True)
        if answer.text.strip() and not admits_ignorance(answer.text, declines)
    ]


def general_questions(
    bank: Sequence[BankQuestion], answers: Mapping[str, Sequence[LoggedAnswer]]
) -> tuple[GeneralQuestion, ...]:
    """The bank's questions; one is known if at least two wordings were asked and all answers are right.

    `answers` maps a question's id to the answers to its wordings.
    """
    return tuple(
        GeneralQuestion(
            id=question.id,
            domain=question.domain,
            wordings=question.wordings[: FURTHER_WORDINGS + 1],
            answers=question.answers,
            known=len(answers[question.id]) > 1
            and all(is_correct(answer.text, question.answers) for answer in answers[question.id]),
        )
        for question in bank
    )


def unknown_questions(invented: Sequence[InventedQuestion]) -> tuple[UnknownQuestion, ...]:
    """The questions about invented names, as records of the card."""
    return tuple(
        UnknownQuestion(id=q.id, domain=q.domain, name=q.name, wordings=q.wordings) for q in invented
    )


def domain_scores(
    bank: Sequence[BankQuestion], answers: Sequence[LoggedAnswer]
) -> dict[QuestionDomain, DomainScore]:
    """Accuracy per domain, and mean entropy on popular and on rare subjects."""
    scores: dict[QuestionDomain, DomainScore] = {}
    for domain in DOMAINS:
        pairs = [(q, a) for q, a in zip(bank, answers, strict=True) if q.domain == domain]
        if not pairs:
            continue
        popular, rare = by_popularity(pairs)
        scores[domain] = DomainScore(
            questions=len(pairs),
            right=sum(is_correct(a.text, q.answers) for q, a in pairs) / len(pairs),
            mean_entropy_known=_mean_entropy([a for _, a in popular]),
            mean_entropy_unlikely=_mean_entropy([a for _, a in rare]),
        )
    return scores


def by_popularity(
    pairs: Sequence[tuple[BankQuestion, LoggedAnswer]],
) -> tuple[list[tuple[BankQuestion, LoggedAnswer]], list[tuple[BankQuestion, LoggedAnswer]]]:
    """The questions about popular and about rare subjects; those without a popularity are in neither."""
    ranked = sorted(
        (pair for pair in pairs if pair[0].popularity is not None),
        key=lambda pair: -(pair[0].popularity or 0.0),
    )
    return ranked[: round(len(ranked) * POPULAR)], ranked[round(len(ranked) * (1 - RARE)) :]


def _mean_entropy(answers: Sequence[LoggedAnswer]) -> float | None:
    """Mean over the answers' mean entropies (upper bounds), in nats."""
    means = [answer_signals(answer.tokens).mean.upper for answer in answers if answer.tokens]
    return math.fsum(means) / len(means) if means else None


def _label(group: str, answer: LoggedAnswer, right: bool) -> Label:
    measured = answer_signals(answer.tokens)
    return Label(group=group, form=answer_form(measured), seen=measured, right=right)
