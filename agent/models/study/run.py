"""A whole study: everything is asked of the served model, then the card is made of the answers."""

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
from agent.models.study.judging_ability import JudgingScore, judge_prompts, score_judgements
from agent.models.study.model_files import ModelInfo, inspect_model
from agent.models.study.replay_answers import distributions, replay_answers, turns_of
from agent.models.study.speed import measure_speed
from agent.models.study.study_questions import FURTHER, LONG, StudyMaterial
from agent.models.study.study_server import StudyServer, start_server
from agent.models.study.tool_use import ToolUseScore, score_tool_use, tool_prompts
from agent.models.study.verdict import StudyFigures, decide
from memory.records.base import Digest

QUESTION_TOKENS = JUDGED_TOKENS
"""Longest answer to a question of the bank."""
LONG_TOKENS = 256
LENGTH_QUANTILE = 0.9
REFUSAL = "I do not know."
"""What lessons teach of things that do not exist: plain, and among the phrases that count as declining."""

ReportProgress = Callable[[str, int], Callable[[], object]]
"""Told what begins and of how many steps; returns what is called after each."""


@dataclass(frozen=True)
class StudySubject:
    """The model to be studied."""

    name: str
    folder: Path
    source: str
    licence: str
    digest: Digest
    tool_parser: str | None = None


@dataclass(frozen=True)
class StudyAnswers:
    """All answers of one study, in the order of the material."""

    bank: list[LoggedAnswer]
    invented: list[LoggedAnswer]
    prompts: list[LoggedAnswer]
    reading: list[LoggedAnswer]
    long: list[LoggedAnswer]
    judging: list[LoggedAnswer]
    tools: list[LoggedAnswer]
    wordings: Mapping[str, list[LoggedAnswer]]
    """By the id of a bank question: the answers to all its wordings that were asked."""


@dataclass(frozen=True)
class Study:
    """A card with its files, and what else was found out."""

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
    """Of the last sitting, where the study was interrupted."""
    logged: int = 0
    """Answers that earlier sittings had logged."""


async def run_study(
    subject: StudySubject,
    material: StudyMaterial,
    work: Path,
    progress: ReportProgress,
    *,
    gpu_share: float | None = None,
) -> Study:
    """Studies a model with a vLLM server of its own; some ten minutes for 135 M parameters on two cores.

    `gpu_share` is the part of a GPU's memory that the server takes, None for a CPU. `work` is an
    existing folder for the answers so far: a study that was interrupted goes on with them.
    Raises ModelRefused where the files, the chat template or the engine do not work.
    """
    begun = time.monotonic()
    inspected = inspect_model(subject.folder)
    if subject.tool_parser is not None:
        parser = {"tool_parser": subject.tool_parser}
        inspected = inspected.model_copy(update={"template": inspected.template.model_copy(update=parser)})
    started = progress("starting the engine", 1)
    server: AbstractAsyncContextManager[StudyServer] = start_server(
        subject.folder, inspected, log=work / "engine.log", gpu_share=gpu_share
    )
    async with server as served:
        started()
        log = AnswerLog(work / "answers.jsonl")
        logged = len(log)
        replies = await collect_answers(served.engine, material, log, inspected, progress)
        timed = progress("timing it", 1)
        texts = [prompt.messages[-1].content for prompt in material.prompts]
        speed = await measure_speed(served, texts)
        timed()
    replay = replay_answers(material.prompts, replies.prompts, system=inspected.template.system)
    finished = {p.id: a.finished for p, a in zip(material.prompts, replies.prompts, strict=True)}
    step = progress("reading its own answers", len(replay))
    read = distributions(subject.folder, inspected, replay, finished, step)
    seconds = time.monotonic() - begun
    return make_study(
        subject, inspected, material, replies, speed, replay, read, seconds=seconds, logged=logged
    )


async def collect_answers(
    engine: Engine, material: StudyMaterial, log: AnswerLog, inspected: ModelInfo, progress: ReportProgress
) -> StudyAnswers:
    """Asks everything. Questions that were answered rightly are asked again in further wordings."""
    prompts = _prompts(material, system=inspected.template.system)
    step = progress("asking it", sum(map(len, prompts.values())))
    flat = [prompt for part in prompts.values() for prompt in part]
    answers = iter(await ask_all(engine, flat, log, thinking=inspected.template.thinking, step=step))
    said = {name: [next(answers) for _ in part] for name, part in prompts.items()}
    again = [
        (asked.id, question_prompt(wording, QUESTION_TOKENS))
        for asked, answer in zip(material.bank, said["bank"], strict=True)
        if is_correct(answer.text, asked.answers)
        for wording in asked.wordings[1 : FURTHER + 1]
    ]
    step = progress("asking again in other words", len(again))
    more = await ask_all(
        engine, [prompt for _, prompt in again], log, thinking=inspected.template.thinking, step=step
    )
    wordings = {asked.id: [answer] for asked, answer in zip(material.bank, said["bank"], strict=True)}
    for (name, _), answer in zip(again, more, strict=True):
        wordings[name].append(answer)
    return StudyAnswers(**said, wordings=wordings)


def make_study(
    subject: StudySubject,
    inspected: ModelInfo,
    material: StudyMaterial,
    replies: StudyAnswers,
    speed: Speed,
    replay: Sequence[ReplayAnswer],
    read: ReplayDistributions,
    *,
    seconds: float,
    logged: int = 0,
) -> Study:
    """Makes the card of the answers."""
    right = [
        answer.text
        for asked, answer in zip(material.bank, replies.bank, strict=True)
        if is_correct(answer.text, asked.answers)
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
    quality = calibrated.quality
    verdict, reasons = decide(
        StudyFigures(
            reads=reads,
            known=known,
            auroc=quality.auroc if quality is not None else None,
            context=inspected.context,
        )
    )
    card = ModelCard(
        name=subject.name,
        source=subject.source,
        digest=subject.digest,
        licence=subject.licence,
        parameters=inspected.parameters,
        vocabulary=inspected.vocabulary,
        context=inspected.context,
        dtype=inspected.dtype,
        template=inspected.template,
        declines=declines,
        answer_tokens=answer_tokens(replies.long, inspected.context),
        lessons=TeachingSettings(
            modules=inspected.modules,
            learning_rate=learning_rate(inspected.parameters),
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
        judgements=score_judgements(material.judging, replies.judging) if material.judging else (),
        tools=score_tool_use(material.tools, replies.tools),
        seconds=seconds,
        logged=logged,
    )


def learning_rate(parameters: int) -> float:
    """For LoRA on all linear layers, falling with size as P^-.65 and never above 1e-3.

    Through 1e-3 at 135 M (measured here, shared notes on real models) and the rates that work elsewhere:
    4e-4 at .5 B, 2e-4 at 1.5 B, 1e-4 at 3 B, 5e-5 at 8 B.
    """
    return float(f"{min(1e-3, 2e-4 * (1.5e9 / parameters) ** 0.65):.1e}")


def answer_tokens(answers: Sequence[LoggedAnswer], context: int) -> int:
    """The length that nine of ten of its own answers stay within, at most a quarter of the context.

    An answer that was cut off counts as twice as long as it is.
    """
    lengths = sorted(len(a.tokens) * (1 if a.finished else 2) for a in answers)
    longest = lengths[math.ceil(LENGTH_QUANTILE * len(lengths)) - 1] if lengths else LONG_TOKENS
    return max(16, min(math.ceil(longest / 32) * 32, context // 4))


def _prompts(material: StudyMaterial, *, system: bool) -> dict[str, list[StudyPrompt]]:
    """What is asked, by the fields of `StudyAnswers`."""
    general = [
        StudyPrompt(messages=turns_of(p, system=system), max_tokens=REPLAY_TOKENS) for p in material.prompts
    ]
    spread = general[:: max(1, len(general) // LONG)][:LONG]
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
