"""The worker's edges: what it reports, whom it lets in, and what it refuses."""

from pathlib import Path

import pytest

from agent.errors import NotTeachable
from agent.models.card import write_card
from memory import tracing
from memory.outbox import files as outbox
from memory.outbox.base import Progress
from memory.records.evaluations import GateCheck, GateVerdict
from memory.records.runs import Job
from tests.support.cards import card
from tests.support.lessons import base
from tests.support.tracing import Spans
from training.base_model import open_base_model
from training.errors import WorkerBusy
from training.progress import ProgressReporter
from training.recipes import quick, retry_recipe, standard
from training.worker import job_span, main, sole_worker

DIGEST = "0" * 64


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_progress_is_written_at_most_twice_a_second_but_never_misses_a_phase(tmp_path: Path) -> None:
    clock, said = Clock(), list[str]()
    report = ProgressReporter(tmp_path, said.append, clock)
    for step, (now, phase) in enumerate([(0.0, "training"), (0.1, "training"), (0.2, "measuring")]):
        clock.now = now
        report(DIGEST, Progress.model_validate({"phase": phase, "done": step, "total": 9}))
        if step == 1:
            assert Progress.model_validate_json(outbox.progress_path(tmp_path, DIGEST).read_bytes()).done == 0
    assert Progress.model_validate_json(outbox.progress_path(tmp_path, DIGEST).read_bytes()).done == 2
    assert said == ["00000000: training 0/9", "00000000: measuring 2/9"]


def test_only_one_worker_holds_a_home_folder_and_leaving_frees_it(tmp_path: Path) -> None:
    with (
        sole_worker(tmp_path / "lock"),
        pytest.raises(WorkerBusy, match="stop it first"),
        sole_worker(tmp_path / "lock"),
    ):
        pass
    with sole_worker(tmp_path / "lock"):
        pass


def test_a_bad_setting_ends_the_worker_with_exit_code_two(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NIGHTSCHOOL_API_PORT", "-1")
    assert main(["--home", str(tmp_path)]) == 2
    assert "NIGHTSCHOOL_API_PORT" in capsys.readouterr().err


def test_a_model_without_a_card_ends_the_worker_with_the_command_to_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "config.json").write_text("{}")
    assert main(["--home", str(tmp_path), "--model", str(tmp_path)]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert "nightschool models study" in line


def test_a_model_that_its_study_found_unfit_for_lessons_is_not_taught(tmp_path: Path) -> None:
    unfit = card(verdict="retrieval only", reasons=("it forgets",))
    made = base()
    write_card(tmp_path, unfit, made.questions, made.unknown, made.replay, made.distributions)
    with pytest.raises(NotTeachable, match="retrieval only: it forgets"):
        open_base_model(tmp_path)


def test_recipes_fit_into_what_engines_serve() -> None:
    assert all(recipe(card()).rank <= 64 for recipe in (standard, quick))
    assert standard(card()).name != quick(card()).name


def checks(*failed: str) -> GateVerdict:
    return GateVerdict(
        passed=False, checks=tuple(GateCheck(name=n, goal="", figure=0.0, passed=False) for n in failed)
    )


def test_a_second_attempt_holds_more_if_something_was_lost_and_is_longer_if_too_little_was_learned() -> None:
    first = standard(card())
    firmer, longer = (
        retry_recipe(first, checks("known facts lost", "target accuracy")),
        retry_recipe(first, checks("target accuracy")),
    )
    assert firmer.beside > first.beside
    assert firmer.seed != first.seed
    assert firmer.exposures == first.exposures
    assert longer.exposures > first.exposures
    assert longer.learning_rate == first.learning_rate
    assert len({first.name, firmer.name, longer.name}) == 3


@pytest.mark.parametrize(
    ("lost", "learned", "rate"), [(0.36, 0.89, 1 / 3), (0.16, 0.89, 0.5), (0.06, 0.89, 1.0), (0.36, 0.6, 1.0)]
)
def test_a_second_attempt_is_gentler_if_much_was_lost_and_learned(
    lost: float, learned: float, rate: float
) -> None:
    figures = {"known facts lost": (lost, False), "target accuracy": (learned, True)}
    verdict = GateVerdict(
        passed=False,
        checks=tuple(
            GateCheck(name=name, goal="", figure=figure, passed=passed)
            for name, (figure, passed) in figures.items()
        ),
    )
    first = standard(card())
    second = retry_recipe(first, verdict)
    assert second.learning_rate == pytest.approx(rate * first.learning_rate)
    assert second.beside > first.beside


def test_refusals_are_raised_where_names_were_invented_and_cut_where_what_was_known_is_lost() -> None:
    first = standard(card()).model_copy(update={"refusals": 0.04})
    assert retry_recipe(first, checks("hallucination up")).refusals > first.refusals
    assert retry_recipe(first, checks("known facts lost")).refusals < first.refusals
    assert retry_recipe(first, checks("hallucination up", "known facts lost")).refusals < first.refusals
    assert retry_recipe(standard(card()), checks("hallucination up")).refusals > 0
    assert retry_recipe(first, checks("answers in circles up")).refusals == first.refusals


def test_a_job_is_traced_below_the_run_that_asked_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    spans = Spans(monkeypatch)
    with tracing.span("run learn"):
        job = Job(digest=DIGEST, domain="lamps", run_id="run-1", traceparent=tracing.traceparent())
    with pytest.raises(ValueError, match="secret"), job_span(job):
        raise ValueError("a secret text")
    assert spans.parents("train lesson") == ["run learn"]
    traced = spans.named("train lesson")
    assert traced.attributes == {"nightschool.run_id": "run-1", "nightschool.job": DIGEST}
    assert traced.status.description == "ValueError"
    with job_span(job.model_copy(update={"traceparent": None, "kind": "preferences"})):
        pass
    assert spans.named("train preferences").parent is None
