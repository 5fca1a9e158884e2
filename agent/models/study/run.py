"""Runs a whole study: serves the model, asks everything, and makes its card from the answers."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path

from agent.chat.calibration import CalibratedGate, Label, calibrate
from agent.chat.gate import JUDGED_TOKENS
from agent.engines.base import Engine
from agent.grading import DECLINE_PHRASES, is_correct
from agent.models.card import (
    REPLAY_TOKENS,
    GeneralQuestion,
    ModelCard,
    ReplayAnswer,
    ReplayDistributions,
    Speed,
    TeachingSettings,
    UnknownQuestion,
)
from agent.models.study.answer_log import AnswerLog, LoggedAnswer, StudyPrompt, ask_all, question_prompt
from agent.models.study.bank_grading import (
    bank_labels,
    domain_scores,
    general_questions,
    invented_labels,
    unknown_questions,
)
from agent.models.study.decline_phrases import decline_phrases
from agent.models.study.exploration_ability import ask_for_calls, score_exploration
from agent.models.study.judging_ability import (
    JudgingScore,
    judge_prompts,
    score_judgements,
    unaided_accuracy,
)
from agent.models.study.model_files import ModelInfo, inspect_model
from agent.models.study.replay_answers import replay_answers, replay_distributions, turns_of
from agent.models.study.speed import measure_speed
from agent.models.study.study_questions import FURTHER_WORDINGS, LONG_ANSWERS, StudyMaterial
from agent.models.study.study_server import StudyServer, start_server
from agent.models.study.tool_use import ToolUseScore, score_tool_use, tool_prompts
from agent.models.study.verdict import StudyFigures, decide_verdict
from agent.tool_use.calls import Call
from memory.records.base import Digest

QUESTION_TOKENS = JUDGED_TOKENS
"""Most tokens of an answer to a bank question."""
LONG_TOKENS = 256
LENGTH_QUANTILE = 0.9
REFUSAL = "I do not know."
"""The answer that lessons teach about invented names; it is one of the decline phrases."""

ReportProgress = Callable[[str, int], Callable[[], object]]
"""Called with a phase's name and number of steps; returns a function to call after each step."""


@dataclass(frozen=True)
class StudySubject:
    """The model to study."""

    name: str
    folder: Path
    source: str
    licence: str
    digest: Digest
    tool_parser: str | None = None


@dataclass(frozen=True)
class StudyAnswers:
    """All answers of a study, in the order of the material."""

    bank: list[LoggedAnswer]
    invented: list[LoggedAnswer]
    prompts: list[LoggedAnswer]
    reading: list[LoggedAnswer]
    long: list[LoggedAnswer]
    judging: list[LoggedAnswer]
    tools: list[LoggedAnswer]
    wordings: Mapping[str, list[LoggedAnswer]]
    """Bank question id -> answers to all wordings that were asked."""
    exploration: Sequence[Call] = ()


@dataclass(frozen=True)
class Study:
    """The result of a study: the card with its files, and the figures for the report."""

    card: ModelCard
    questions: tuple[GeneralQuestion, ...]
    unknown: tuple[UnknownQuestion, ...]
    replay: tuple[ReplayAnswer, ...]
    distributions: ReplayDistributions
    material: StudyMaterial
    replies: StudyAnswers
    calibrated: CalibratedGate
    labels: tuple[Label, ...]
    reads: float
    judgements: tuple[JudgingScore, ...]
    tools: ToolUseScore
    seconds: float
    """Duration; of the last session only, if the study was interrupted."""
    logged: int = 0
    """Answers logged by earlier sessions."""


async def run_study(
    subject: StudySubject,
    material: StudyMaterial,
    work: Path,
    progress: ReportProgress,
    *,
    gpu_share: float | None = None,
) -> Study:
    """Studies a model with its own vLLM server; about ten minutes for 135 M parameters on two cores.

    `gpu_share` is the share of GPU memory for the server, None for a CPU. `work` is an existing folder for
    the answer log, from which an interrupted study resumes. Raises ModelRefused if the files, the chat
    template or the engine do not work.
    """
    begun = time.monotonic()
    info = inspect_model(subject.folder)
    if subject.tool_parser is not None:
        parser = {"tool_parser": subject.tool_parser}
        info = info.model_copy(update={"template": info.template.model_copy(update=parser)})
    started = progress("starting the engine", 1)
    server: AbstractAsyncContextManager[StudyServer] = start_server(
        subject.folder, info, log=work / "engine.log", gpu_share=gpu_share
    )
    async with server as served:
        started()
        log = AnswerLog(work / "answers.jsonl")
        logged = len(log)
        replies = await collect_answers(served.engine, material, log, info, progress)
        timed = progress("timing it", 1)
        texts = [prompt.messages[-1].content for prompt in material.prompts]
        speed = await measure_speed(served, texts)
        timed()
    replay = replay_answers(material.prompts, replies.prompts, system=info.template.system)
    finished = {p.id: a.finished for p, a in zip(material.prompts, replies.prompts, strict=True)}
    step = progress("reading its own answers", len(replay))
    read = replay_distributions(subject.folder, info, replay, finished, step)
    seconds = time.monotonic() - begun
    return make_study(subject, info, material, replies, speed, replay, read, seconds=seconds, logged=logged)


async def collect_answers(
    engine: Engine, material: StudyMaterial, log: AnswerLog, info: ModelInfo, progress: ReportProgress
) -> StudyAnswers:
    """Asks everything; asks correctly answered questions again in further wordings."""
    prompts = _prompts(material, system=info.template.system)
    step = progress("asking it", sum(map(len, prompts.values())))
    flat = [prompt for part in prompts.values() for prompt in part]
    answers = iter(await ask_all(engine, flat, log, thinking=info.template.thinking, step=step))
    by_part = {name: [next(answers) for _ in part] for name, part in prompts.items()}
    again = [
        (bank_question.id, question_prompt(wording, QUESTION_TOKENS))
        for bank_question, answer in zip(material.bank, by_part["bank"], strict=True)
        if is_correct(answer.text, bank_question.answers)
        for wording in bank_question.wordings[1 : FURTHER_WORDINGS + 1]
    ]
    step = progress("asking again in other words", len(again))
    more = await ask_all(
        engine, [prompt for _, prompt in again], log, thinking=info.template.thinking, step=step
    )
    wordings = {
        bank_question.id: [answer]
        for bank_question, answer in zip(material.bank, by_part["bank"], strict=True)
    }
    for (name, _), answer in zip(again, more, strict=True):
        wordings[name].append(answer)
    step = progress("having it explore", 1)
    calls = await ask_for_calls(material.exploration, engine, info)
    step()
    return StudyAnswers(**by_part, wordings=wordings, exploration=calls)


def make_study(
    subject: StudySubject,
    info: ModelInfo,
    material: StudyMaterial,
    replies: StudyAnswers,
    speed: Speed,
    replay: Sequence[ReplayAnswer],
    read: ReplayDistributions,
    *,
    seconds: float,
    logged: int = 0,
) -> Study:
    """Calibrates the gate, decides the verdict and makes the card from the answers."""
    right = [
        answer.text
        for bank_question, answer in zip(material.bank, replies.bank, strict=True)
        if is_correct(answer.text, bank_question.answers)
    ]
    own = decline_phrases([answer.text for answer in replies.invented], right)
    declines = tuple(dict.fromkeys((*DECLINE_PHRASES, *own)))
    labels = (
        *bank_labels(material.bank, replies.bank, declines),
        *invented_labels(material.invented, replies.invented, declines),
    )
    calibrated = calibrate(labels, fitted_on=_fitted_on(material, labels))
    questions = general_questions(material.bank, replies.wordings)
    known = sum(q.known for q in questions)
    unknown = unknown_questions(material.invented)
    reads = _share(
        [is_correct(a.text, [q.answer]) for q, a in zip(material.reading, replies.reading, strict=True)]
    )
    judgements = score_judgements(material.judging, replies.judging) if material.judging else ()
    quality = calibrated.quality
    verdict, reasons = decide_verdict(
        StudyFigures(
            reads=reads,
            known=known,
            auroc=quality.auroc if quality is not None else None,
            context=info.context,
        )
    )
    card = ModelCard(
        name=subject.name,
        source=subject.source,
        digest=subject.digest,
        licence=subject.licence,
        parameters=info.parameters,
        vocabulary=info.vocabulary,
        context=info.context,
        dtype=info.dtype,
        template=info.template,
        declines=declines,
        answer_tokens=answer_tokens(replies.long, info.context),
        lessons=TeachingSettings(
            modules=info.modules,
            learning_rate=learning_rate(info.parameters),
            refusal=REFUSAL,
        ),
        gate=calibrated.gate,
        domains=domain_scores(material.bank, replies.bank),
        known=known,
        unknown=len(unknown),
        replay=len(replay),
        speed=speed,
        verdict=verdict,
        reasons=(*reasons, *calibrated.reasons),
        reading=reads,
        judging=unaided_accuracy(judgements),
        exploration=score_exploration(material.exploration, replies.exploration)
        if material.exploration
        else None,
    )
    return Study(
        card=card,
        questions=questions,
        unknown=unknown,
        replay=tuple(replay),
        distributions=read,
        material=material,
        replies=replies,
        calibrated=calibrated,
        labels=labels,
        reads=reads,
        judgements=judgements,
        tools=score_tool_use(material.tools, replies.tools),
        seconds=seconds,
        logged=logged,
    )


def learning_rate(parameters: int) -> float:
    """Learning rate for LoRA on all linear layers: falls with size as P^-.65, at most 1e-3.

    Fits 1e-3 at 135 M (measured here) and rates reported elsewhere: 4e-4 at .5 B, 2e-4 at 1.5 B, 1e-4 at
    3 B, 5e-5 at 8 B.
    """
    return float(f"{min(1e-3, 2e-4 * (1.5e9 / parameters) ** 0.65):.1e}")


def answer_tokens(answers: Sequence[LoggedAnswer], context: int) -> int:
    """The length that 90% of the model's answers stay within, at most a quarter of the context.

    An answer that was cut off counts twice its length.
    """
    lengths = sorted(len(a.tokens) * (1 if a.finished else 2) for a in answers)
    longest = lengths[math.ceil(LENGTH_QUANTILE * len(lengths)) - 1] if lengths else LONG_TOKENS
    return max(16, min(math.ceil(longest / 32) * 32, context // 4))


def _prompts(material: StudyMaterial, *, system: bool) -> dict[str, list[StudyPrompt]]:
    """All prompts, by field of `StudyAnswers`."""
    general = [
        StudyPrompt(messages=turns_of(p, system=system), max_tokens=REPLAY_TOKENS) for p in material.prompts
    ]
    spread = general[:: max(1, len(general) // LONG_ANSWERS)][:LONG_ANSWERS]
    return {
        "bank": [question_prompt(q.wordings[0], QUESTION_TOKENS) for q in material.bank],
        "invented": [question_prompt(q.wordings[0], QUESTION_TOKENS) for q in material.invented],
        "prompts": general,
        "reading": [question_prompt(q.prompt, 32) for q in material.reading],
        "long": [prompt.model_copy(update={"max_tokens": LONG_TOKENS}) for prompt in spread],
        "judging": judge_prompts(material.judging),
        "tools": tool_prompts(material.tools, system=system),
    }


def _share(hits: Sequence[bool]) -> float:
    return sum(hits) / len(hits) if hits else 0.0


def _fitted_on(material: StudyMaterial, labels: Sequence[Label]) -> str:
    right = sum(label.right for label in labels)
    return (
        f"{len(labels)} greedy answers ({right} right) of at most {QUESTION_TOKENS} tokens to"
        f" {len(material.bank)} questions of the bank, as evenly over four domains as it allows, and"
        f" {len(material.invented)} about invented names. The promise is for questions mixed like these:"
        " where more of them cannot be known, more of the confident answers are wrong"
    )
