"""Studies an added model and saves its card; an interrupted study goes on when it is run again."""

import shutil
from pathlib import Path

from agent.errors import ModelTaskRunning
from agent.models.store import ModelOrigin, ModelStore
from agent.models.study.run import ReportProgress, Study, StudySubject, run_study
from agent.models.study.study_questions import shipped_material
from memory.file_locks import file_lock


async def study_added(
    name: str, store: ModelStore, work: Path, progress: ReportProgress, *, gpu_share: float | None = None
) -> Study:
    """Studies the added model and saves its card. `work` keeps the answers of unfinished studies.

    Raises UnknownModel, ModelTaskRunning, what `run_study` raises, and OSError.
    """
    origin = store.origin(name)
    answers = work / f"{name}-{origin.digest[:12]}"
    answers.mkdir(parents=True, exist_ok=True)
    with file_lock(work / f"{answers.name}.lock", busy=ModelTaskRunning(f"{name} is being studied already")):
        return await _studied(origin, store, answers, progress, gpu_share)


async def _studied(
    origin: ModelOrigin, store: ModelStore, answers: Path, progress: ReportProgress, gpu_share: float | None
) -> Study:
    subject = StudySubject(
        name=origin.name,
        folder=store.path(origin.name),
        source=origin.source,
        licence=origin.licence,
        digest=origin.digest,
        tool_parser=origin.tool_parser,
    )
    study = await run_study(subject, shipped_material(), answers, progress, gpu_share=gpu_share)
    store.save_card(study.card, study.questions, study.unknown, study.replay, study.distributions)
    shutil.rmtree(answers)
    return study
