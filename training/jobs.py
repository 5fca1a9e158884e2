"""Owns the steps of one training job, each safe to repeat: a crash between or within them loses nothing.

Queueing and resuming are the worker's; training, measuring and gating are in modules of their own.
"""

import asyncio
import logging
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from agent.adapter_files import digest_of_files
from agent.engine import Engine
from agent.errors import EngineError, EngineUnavailable
from memory import outbox
from memory.errors import CorruptRecord, UnknownRun
from memory.outbox import Phase, Progress, TrainingResult, write_atomically
from memory.procedural import Registry
from memory.records import Adapter, Curriculum, Digest, Evaluation, Job, Record, digest_of
from training.calibration import fit_calibration, let_through, of_domain, selective_threshold
from training.dataset import Bank, merge, taught
from training.errors import CurriculumRefused
from training.evaluate import Answer, Sets, canary, evaluate, evaluation, known_only
from training.gates import Limits, gate
from training.questions import Sizes, evaluation_sets
from training.recipes import Recipe
from training.replay import replay
from training.trainer import Example, Trainer, TrainingSummary

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Workshop:
    """What every job needs; built once by the worker."""

    home: Path
    base: str
    """Folder or name of the base model."""
    threshold: float
    """The base model's gate in nats."""
    bank: Bank
    recipe: Recipe
    sizes: Sizes
    limits: Limits
    registry: Registry
    train: Trainer
    open_engine: Callable[[], Engine]
    clock: Callable[[], datetime]
    report: Callable[[Digest, Progress], None]


class Claim(Record):
    """What a job will make: the adapter's name, the earlier curricula that it must not forget and those that
    it must, the live adapter that knows them, and whether training goes on from that one."""

    name: str
    version: int
    rehearsed: tuple[Digest, ...]
    left_out: tuple[Digest, ...]
    live: str | None
    goes_on: bool


class Baseline(Record):
    """What the base model answered, before anything is trained."""

    sets: Sets
    before: Evaluation
    answers: tuple[Answer, ...]


def claim(shop: Workshop, job: Job) -> Claim:
    """Reads and checks the curriculum, and names the adapter.

    What the live adapter learned is left out where this curriculum supersedes it or it is in quarantine;
    training then starts at the base model, for the live adapter's weights hold it.
    Raises CurriculumRefused for one in quarantine, CorruptRecord for an altered one.
    """
    _tell(shop, job, "preparing", message="reading the curriculum")
    if (reason := shop.registry.quarantined(job.digest)) is not None:
        raise CurriculumRefused(f"this curriculum is in quarantine: {reason}")
    curriculum = outbox.read(shop.home / "outbox", job.digest)
    if curriculum.domain != job.domain:
        raise CurriculumRefused(f"the job is for {job.domain!r}, its curriculum for {curriculum.domain!r}")
    live = shop.registry.live(job.domain)
    earlier = [digest for digest in live.learned if digest != job.digest] if live else []
    left_out = tuple(
        digest
        for digest in earlier
        if digest in curriculum.supersedes or shop.registry.quarantined(digest) is not None
    )
    same = live is not None and (live.base_model, live.recipe) == (shop.base, shop.recipe.name)
    version = shop.registry.next_version(job.domain)
    return Claim(
        name=f"{job.domain}-v{version}-{job.digest[:8]}",
        version=version,
        rehearsed=tuple(digest for digest in earlier if digest not in left_out),
        left_out=left_out,
        live=live.name if live else None,
        goes_on=same and not left_out,
    )


def measure_base(shop: Workshop, job: Job, claimed: Claim) -> None:
    """Asks the base model everything, and the live adapter about earlier lessons and what it is to forget;
    keeps the answers for the steps that follow."""
    path = _folder(shop, claimed) / "baseline.json"
    if path.exists():
        return
    lesson, earlier = _lessons(shop, job, claimed)
    left_out = _still_there(shop, claimed.left_out)
    asked = evaluation_sets(
        lesson, shop.bank, shop.sizes, seed=shop.recipe.seed, earlier=earlier, left_out=left_out
    )

    async def answer() -> Baseline:
        engine = shop.open_engine()
        probed = _counter(shop, job, len(asked.out_of_distribution), "finding out what the base model knows")
        sets = await known_only(engine, asked, on_answer=probed)
        total = _size(sets) + len(sets.forgotten)  # which is asked of both
        counted = _counter(shop, job, total, "asking the base model")
        of_base = sets.model_copy(update={"rehearsed": ()})
        measured, answers = await evaluate(engine, None, of_base, on_answer=counted)
        if claimed.live is not None:
            await engine.load(claimed.live, Path(shop.registry.get(claimed.live).path))
            of_live = sets.model_copy(
                update={"in_distribution": (), "near": (), "out_of_distribution": (), "unknown": ()}
            )
            _, told = await evaluate(engine, claimed.live, of_live, on_answer=counted)
            answers = (*answers, *(_of_live(answer) for answer in told))
        return Baseline(
            sets=sets,
            before=evaluation(answers, seconds=measured.seconds),
            answers=answers,
        )

    write_atomically(path, asyncio.run(answer()).model_dump_json())


def train(shop: Workshop, job: Job, claimed: Claim) -> TrainingSummary:
    """Trains into a hidden folder that becomes the adapter's only when it is whole."""
    final = _adapter(shop, claimed)
    done = _folder(shop, claimed) / "training.json"
    if final.exists() and done.exists():
        return TrainingSummary.model_validate_json(done.read_bytes())
    unfinished = final.with_name(f".{claimed.name}.unfinished")
    for leftover in (unfinished, final):
        shutil.rmtree(leftover, ignore_errors=True)
    unfinished.mkdir(parents=True)
    examples = _examples(shop, job, claimed)
    _tell(shop, job, "training", message=f"{len(examples)} examples")

    def on_progress(step: int, steps: int, loss: float) -> None:
        _tell(shop, job, "training", step, steps, f"loss {loss:.3f}")

    start = Path(shop.registry.get(claimed.live).path) if claimed.live and claimed.goes_on else None
    summary = shop.train(shop.base, examples, shop.recipe, unfinished, on_progress, start=start)
    write_atomically(done, summary.model_dump_json())
    _flush(unfinished)
    unfinished.rename(final)
    return summary


def measure_adapter(shop: Workshop, job: Job, claimed: Claim) -> None:
    """Asks the adapted model the same questions.

    Raises EngineError for an adapter that cannot be loaded or asked; it is removed, so that the same lesson
    handed over again is trained anew.
    """
    path = _folder(shop, claimed) / "adapted.json"
    if path.exists():
        return
    sets = _baseline(shop, claimed).sets

    folder = _adapter(shop, claimed)

    async def answer() -> tuple[Evaluation, tuple[Answer, ...]]:
        engine = shop.open_engine()
        await engine.load(claimed.name, folder)
        counted = _counter(shop, job, _size(sets), "asking the adapted model")
        return await evaluate(engine, claimed.name, sets, on_answer=counted)

    try:
        files = digest_of_files(folder)
        after, answers = asyncio.run(answer())
    except EngineUnavailable:
        raise
    except EngineError:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    write_atomically(path, _Measured(after=after, answers=answers, files=files).model_dump_json())


def judge(shop: Workshop, job: Job, claimed: Claim, summary: TrainingSummary) -> TrainingResult:
    """Gates the adapter, registers it as candidate or rejected, and quarantines a failed curriculum."""
    _tell(shop, job, "registering")
    base = _baseline(shop, claimed)
    measured = _Measured.model_validate_json((_folder(shop, claimed) / "adapted.json").read_bytes())
    as_learned = _as_learned(shop, job, claimed)
    verdict = gate(base.before, measured.after, shop.limits, as_learned=as_learned)
    threshold = selective_threshold(of_domain(measured.answers), default=shop.threshold)
    shop.registry.register(
        Adapter(
            name=claimed.name,
            domain=job.domain,
            version=claimed.version,
            status="candidate" if verdict.passed else "rejected",
            path=str(_adapter(shop, claimed)),
            files=measured.files,
            base_model=shop.base,
            curriculum=job.digest,
            rehearsed=claimed.rehearsed,
            parent=claimed.live,
            recipe=shop.recipe.name,
            threshold=threshold,
            let_through=let_through(measured.answers, default=shop.threshold),
            calibration=fit_calibration(measured.answers),
            before=base.before,
            after=measured.after,
            verdict=verdict,
            canary=canary(base.answers, measured.answers),
            training_seconds=summary.seconds,
            training_tokens=summary.tokens,
            created_at=shop.clock(),
        )
    )
    reasons = "; ".join(verdict.reasons)
    if not verdict.passed:
        shop.registry.quarantine(job.digest, f"{claimed.name}: {reasons}")
    _tell(shop, job, "done", message=reasons or "all gates passed")
    return TrainingResult(
        status="candidate" if verdict.passed else "rejected",
        adapter=claimed.name,
        reason=reasons or "all gates passed",
    )


def _as_learned(shop: Workshop, job: Job, claimed: Claim) -> float | None:
    """How well the earlier lessons were known when each was learned, on average; None without any."""
    then = {
        made.curriculum: made.after.in_distribution.accuracy
        for made in shop.registry.list(job.domain)
        if made.verdict.passed
    }
    found = [then[digest] for digest in claimed.rehearsed if digest in then]
    return sum(found) / len(found) if found else None


def _of_live(answer: Answer) -> Answer:
    """What the live adapter knows of what is to be forgotten is kept apart from what the base model knows."""
    return answer.model_copy(update={"group": "forgotten_live"}) if answer.group == "forgotten" else answer


class _Measured(Record):
    after: Evaluation
    answers: tuple[Answer, ...]
    files: Digest


def _examples(shop: Workshop, job: Job, claimed: Claim) -> tuple[Example, ...]:
    """The new lesson with a rehearsal of the earlier ones, or all of them where training starts at the base;
    and what is replayed beside them."""
    lesson, earlier = _lessons(shop, job, claimed)
    if not claimed.goes_on:
        lesson, earlier = merge([*earlier, lesson]), ()
    return (
        *taught(lesson, shop.bank, shop.recipe, earlier=earlier),
        *replay(lesson, shop.bank, shop.recipe, earlier=earlier),
    )


def _lessons(shop: Workshop, job: Job, claimed: Claim) -> tuple[Curriculum, tuple[Curriculum, ...]]:
    """The job's curriculum, and the domain's earlier ones."""
    earlier = tuple(outbox.read(shop.home / "outbox", digest) for digest in claimed.rehearsed)
    return outbox.read(shop.home / "outbox", job.digest), earlier


def _still_there(shop: Workshop, digests: Sequence[Digest]) -> tuple[Curriculum, ...]:
    """What can still be read of the curricula: one that is to be forgotten may well be lost or damaged, and
    then what is left of it is not measured."""
    found = []
    for digest in digests:
        try:
            found.append(outbox.read(shop.home / "outbox", digest))
        except (UnknownRun, CorruptRecord) as error:
            log.warning("whether %s is forgotten cannot be measured: %s", digest[:12], error)
    return tuple(found)


def _baseline(shop: Workshop, claimed: Claim) -> Baseline:
    return Baseline.model_validate_json((_folder(shop, claimed) / "baseline.json").read_bytes())


def _folder(shop: Workshop, claimed: Claim) -> Path:
    """Intermediate files, of this adapter by this recipe on this base only."""
    made_of = [
        claimed.rehearsed,
        claimed.left_out,
        shop.recipe.model_dump(),
        shop.base,
        shop.sizes.model_dump(),
    ]
    return shop.home / "jobs" / f"{claimed.name}.{digest_of(made_of)[:8]}"


def _adapter(shop: Workshop, claimed: Claim) -> Path:
    return shop.home / "adapters" / claimed.name


def _size(sets: Sets) -> int:
    return sum(len(questions) for _, questions in sets.named())


def _tell(shop: Workshop, job: Job, phase: Phase, done: int = 0, total: int = 0, message: str = "") -> None:
    shop.report(job.digest, Progress(phase=phase, done=done, total=total, message=message))


def _counter(shop: Workshop, job: Job, total: int, message: str) -> Callable[[], None]:
    done = 0

    def counted() -> None:
        nonlocal done
        done += 1
        _tell(shop, job, "measuring", done, total, message)

    return counted


def _flush(folder: Path) -> None:
    """Forces the folder's files to disk, so that a renamed folder is never an empty one after a crash."""
    for path in folder.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())
