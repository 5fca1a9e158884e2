"""Evaluates a base or adapted model on question sets, and chooses an adapter's canary question.

The canary is a question that only the adapter answers correctly. It shows later that the adapter is loaded.
`evaluation_questions` selects the questions, `gates` checks the scores, `calibration` fits the answer gate.
"""

import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal, Protocol, get_args

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage

from agent.chat.calibration import calibration_error
from agent.chat.gate import answer_signals
from agent.chat.thinking import Marks, without_thinking
from agent.concurrency import gather_limited
from agent.engines.base import GREEDY, AnswerScorer, ContinuationScorer, Engine, Reply, Sampling
from agent.grading import admits_ignorance, is_correct, normalise, repeats_itself
from agent.models.card import REPLAY_TOKENS, ModelCard, PromptMessage, ReplayAnswer
from agent.principles.constitution import Statement, broken_principles
from memory.records.adapters import Canary
from memory.records.base import Record
from memory.records.curricula import Form
from memory.records.evaluations import Drift, Evaluation, Score
from memory.records.interactions import Signals

SetName = Literal[
    "in_distribution",
    "out_of_distribution",
    "unknown",
    "rehearsed",
    "forgotten",
    "forgotten_live",
    "attacked",
]
OPTIONAL_SETS: tuple[SetName, ...] = ("rehearsed", "forgotten", "forgotten_live", "attacked")
"""Question sets that not every lesson has."""
ANSWER_TOKENS = 32
"""Maximum answer length. The reference answers are short; because grading looks for them anywhere in the
answer, a longer one would only be more likely to contain them by chance."""
CONCURRENCY = 256
"""Questions in flight: enough for an engine to fill its batches, few enough to show progress."""
LOST_NATS = 1.0
"""A base-model answer counts as lost if it became less likely by more than this, in nats per token. Same
threshold as DocumentLanguageModel's audits of SmolLM2-135M, where lessons without replay lost 12% of general
items."""
CHOICES = frozenset({"yes", "no"})
"""Normalised answers to yes/no questions."""
_MESSAGES: dict[str, type[BaseMessage]] = {
    "system": SystemMessage,
    "user": HumanMessage,
    "assistant": AIMessage,
}


class SupportsChat(Protocol):
    """Anything that answers chat messages: an engine, or a cached one."""

    async def chat(
        self, messages: Sequence[BaseMessage], *, adapter: str | None = None, sampling: Sampling = GREEDY
    ) -> Reply:
        """See `Engine.chat`."""
        ...


class ScoringEngine(Engine, AnswerScorer, ContinuationScorer, Protocol):
    """An engine that can also score given answers."""


class Question(Record):
    """A question with its reference answers. Without any, every answer except an abstention is wrong."""

    text: str
    references: tuple[str, ...]
    form: Form | None = None
    """Only for questions about taught facts."""
    fact_id: str = ""
    """The taught fact that it asks for, if any."""


class QuestionSets(Record):
    """All questions of one evaluation, by set."""

    in_distribution: tuple[Question, ...]
    out_of_distribution: tuple[Question, ...]
    unknown: tuple[Question, ...]
    rehearsed: tuple[Question, ...] = ()
    """About the domain's earlier lessons."""
    forgotten: tuple[Question, ...] = ()
    """About facts that the live adapter was taught and no lesson teaches any more."""
    attacked: tuple[Question, ...] = ()
    """Attacks that a model of the domain fell for."""

    def named(self) -> tuple[tuple[SetName, tuple[Question, ...]], ...]:
        """The name and questions of each set."""
        return (
            ("in_distribution", self.in_distribution),
            ("out_of_distribution", self.out_of_distribution),
            ("unknown", self.unknown),
            ("rehearsed", self.rehearsed),
            ("forgotten", self.forgotten),
            ("attacked", self.attacked),
        )

    @property
    def count(self) -> int:
        """The number of questions in all sets."""
        return sum(len(questions) for _, questions in self.named())


class GradedAnswer(Record):
    """A model's graded answer to one question."""

    group: SetName
    question: str
    references: tuple[str, ...]
    fact_id: str = ""
    text: str
    right: bool
    abstained: bool
    signals: Signals

    @property
    def probability(self) -> float:
        """The probability of the answer's least likely token; 0 for an empty answer."""
        return math.exp(self.signals.min_logprob) if self.signals.tokens else 0.0


class AnswerStyle(Record):
    """How to ask a model and read its answers, from its card."""

    tokens: int
    """Maximum answer length."""
    declines: tuple[str, ...]
    """Lower-case phrases by which the model admits ignorance."""
    thinking: Marks | None = None
    """Marks around thinking text, which is not part of the answer."""


def answer_style(card: ModelCard) -> AnswerStyle:
    """The answer style in a model card; the refusal taught in lessons counts as an admission of ignorance."""
    refusal = card.lessons.refusal.lower().replace("\u2019", "'").strip(" .")
    return AnswerStyle(
        tokens=min(card.answer_tokens, ANSWER_TOKENS),
        declines=(*card.declines, refusal),
        thinking=card.template.thinking,
    )


async def ask(
    engine: SupportsChat,
    questions: Sequence[str],
    style: AnswerStyle,
    *,
    adapter: str | None = None,
    on_answer: Callable[[], None] = lambda: None,
) -> tuple[Reply, ...]:
    """Greedy answers to single questions, in order; asks many at once."""
    conversations = [[HumanMessage(question)] for question in questions]
    return await _replies(engine, conversations, style, adapter, on_answer)


async def evaluate(
    engine: SupportsChat,
    adapter: str | None,
    sets: QuestionSets,
    style: AnswerStyle,
    *,
    clock: Callable[[], float] = time.monotonic,
    on_answer: Callable[[], None] = lambda: None,
) -> tuple[Evaluation, tuple[GradedAnswer, ...]]:
    """Asks and scores all sets; without an `adapter` it evaluates the base model. Passes engine errors on."""
    started = clock()
    questions = [(group, question) for group, members in sets.named() for question in members]
    texts = [question.text for _, question in questions]
    replies = await ask(engine, texts, style, adapter=adapter, on_answer=on_answer)
    answers = tuple(
        grade(group, question, reply, style)
        for (group, question), reply in zip(questions, replies, strict=True)
    )
    return evaluation(answers, seconds=clock() - started), answers


async def measure_drift(
    engine: ScoringEngine,
    adapter: str,
    answers: Sequence[ReplayAnswer],
    style: AnswerStyle,
    *,
    on_answer: Callable[[], None] = lambda: None,
) -> Drift:
    """Measures how much less likely the adapter makes the base model's own answers, and how often the
    adapter repeats itself on the same prompts. None of the `answers` may have been trained."""
    losses: list[float] = []
    conversations = [[_message(turn) for turn in answer.messages] for answer in answers]
    for answer, messages in zip(answers, conversations, strict=True):
        before = await engine.logprobs_of(messages, answer.answer)
        after = await engine.logprobs_of(messages, answer.answer, adapter=adapter)
        losses.append((math.fsum(before) - math.fsum(after)) / len(before))
        on_answer()
    if not losses:
        return Drift(count=0, lost=0.0, nats=0.0, circled=0.0, circles=0.0)
    as_replayed = style.model_copy(update={"tokens": REPLAY_TOKENS})
    replies = await _replies(engine, conversations, as_replayed, adapter, on_answer)
    count = len(losses)
    return Drift(
        count=count,
        lost=sum(loss > LOST_NATS for loss in losses) / count,
        nats=math.fsum(losses) / count,
        circled=sum(repeats_itself(answer.answer) for answer in answers) / count,
        circles=sum(repeats_itself(reply.text) for reply in replies) / count,
    )


def grade(group: SetName, question: Question, reply: Reply, style: AnswerStyle) -> GradedAnswer:
    """Grades one reply and computes its uncertainty signals."""
    admits = admits_ignorance(reply.text, style.declines)
    return GradedAnswer(
        group=group,
        question=question.text,
        references=question.references,
        fact_id=question.fact_id,
        text=reply.text,
        right=bool(question.references) and not admits and is_correct(reply.text, question.references),
        abstained=admits,
        signals=answer_signals(reply.tokens),
    )


def evaluation(answers: Sequence[GradedAnswer], *, seconds: float) -> Evaluation:
    """The scores of each set."""
    groups: dict[SetName, list[GradedAnswer]] = {name: [] for name in get_args(SetName)}
    for answer in answers:
        groups[answer.group].append(answer)
    scores = {name: score(group) for name, group in groups.items() if group or name not in OPTIONAL_SETS}
    return Evaluation(**scores, principles=broken_counts(answers), seconds=seconds)


def broken_counts(answers: Sequence[GradedAnswer]) -> dict[str, int]:
    """The number of answers that break each principle for answers, by its id.

    What a reference answer says is not counted.
    """
    counts = Counter(
        principle.id
        for answer in answers
        for principle in broken_principles(
            Statement(answer.text, answer.question, answer.references), stopping="answer"
        )
    )
    return dict(sorted(counts.items()))


def score(answers: Sequence[GradedAnswer]) -> Score:
    """The rates of one set; an empty set has a count of zero, which fails every gate."""
    count = len(answers)
    if count == 0:
        return Score(count=0, distinct=0, accuracy=0.0, hallucination=0.0, abstention=0.0, ece=0.0)
    right = sum(answer.right for answer in answers)
    abstained = sum(answer.abstained for answer in answers)
    claims = [answer for answer in answers if not answer.abstained]
    return Score(
        count=count,
        distinct=len({answer.references for answer in answers}),
        accuracy=right / count,
        hallucination=(count - right - abstained) / count,
        abstention=abstained / count,
        ece=calibration_error([a.probability for a in claims], [a.right for a in claims]),
    )


def choose_canary(before: Sequence[GradedAnswer], after: Sequence[GradedAnswer]) -> Canary | None:
    """The most probable right and complete answer that the base model does not give; None without one.

    A bare yes or no is used only if there is nothing else, because a wrong adapter may say it as well.
    """
    base = {answer.question: answer.text for answer in before if answer.group == "in_distribution"}
    candidates = [
        answer
        for answer in after
        if answer.group == "in_distribution"
        and answer.right
        and answer.signals.tokens < ANSWER_TOKENS
        and answer.question in base
        and normalise(answer.text) != normalise(base[answer.question])
    ]
    if not candidates:
        return None
    best = max(
        candidates,
        key=lambda answer: (normalise(answer.text) not in CHOICES, answer.probability, answer.question),
    )
    return Canary(question=best.question, answer=best.text, base_answer=base[best.question])


async def _replies(
    engine: SupportsChat,
    conversations: Sequence[Sequence[BaseMessage]],
    style: AnswerStyle,
    adapter: str | None,
    on_answer: Callable[[], None],
) -> tuple[Reply, ...]:
    """Greedy answers without thinking text; asks many at once."""
    sampling = Sampling(max_tokens=style.tokens)

    async def reply_to(messages: Sequence[BaseMessage]) -> Reply:
        reply = await engine.chat(messages, adapter=adapter, sampling=sampling)
        on_answer()
        return without_thinking(reply, style.thinking)

    return tuple(
        await gather_limited((partial(reply_to, messages) for messages in conversations), CONCURRENCY)
    )


def _message(turn: PromptMessage) -> BaseMessage:
    return _MESSAGES[turn.role](turn.content)
