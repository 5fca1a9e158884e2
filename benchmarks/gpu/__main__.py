"""GPU checks: `python -m benchmarks.gpu`; takes at most ten minutes and needs no network.

Trains the same lessons with PEFT and with Unsloth, and serves two of the adapters at once. For a check that
cannot run, the page has the reason instead of figures. `--dry-run` needs no GPU: it checks the pack, trains a
few steps with PEFT and writes the page.
"""

import argparse
import importlib.util
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from agent.errors import ModelError, ModelRefused
from agent.models.add_model import add_model
from agent.models.catalogue import shipped_catalogue
from agent.models.store import ModelStore, resolve_model
from agent.settings import read_settings
from benchmarks.gpu.serve import ServingResult, check_in_process, check_vllm
from benchmarks.gpu.train import ROUNDS, Backend, Lesson, TrainingRun, read_run
from memory.results import FOLDER, Goal, Result, Table, machine, rows, write

MINUTES = 7.0
"""No check starts after this time, because commands on the GPU machine are limited to ten minutes."""
TRAINING_SECONDS = 150.0
"""Time limit per training run, including Unsloth's compilation."""
DRY_ROUNDS = 2
TINY = Path("tests/fixtures/tiny-model")
PACK = Path(".gpu")
BACKENDS: tuple[Backend, ...] = ("peft", "unsloth")
TRAINED: tuple[tuple[str, Lesson], ...] = (("base", "lamps"), ("base", "rivers"), ("tiny", "lamps"))
"""Models and lessons; each is trained with both backends."""
ENGINES = ("vLLM", "in-process")
PACKAGES = ("torch", "triton", "transformers", "peft", "trl", "unsloth", "unsloth-zoo", "vllm")
OFFLINE = {
    "HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "UNSLOTH_DISABLE_STATISTICS": "1",
    "UNSLOTH_DISABLE_CPU_FALLBACK": "1", "TOKENIZERS_PARALLELISM": "false",
}  # fmt: skip
GOALS = {
    "loss apart, first step": Goal(at="<=", bound=0.05),  # only the forward passes differ
    "loss apart, last tenth": Goal(at="<=", bound=0.2),  # as in tests/gpu/test_unsloth.py
    "speed, Unsloth over PEFT": Goal(at=">=", bound=1.0),
    "vLLM: answers by the adapter's own lesson": Goal(at=">=", bound=0.8),
    "vLLM: answers by another lesson": Goal(at="<=", bound=0.05),
}
ONE_THREAD = {"OMP_NUM_THREADS": "1"}
"""For the dry run: on a busy machine, its small steps would take minutes of waiting for threads."""


class NotRun(Exception):
    """A check cannot run on this machine; the message has the reason."""


@dataclass
class Report:
    """The results so far."""

    runs: dict[tuple[str, Lesson, Backend], TrainingRun] = field(default_factory=dict)
    """By model, lesson and backend."""
    served: dict[str, ServingResult] = field(default_factory=dict)
    """By engine."""
    outcomes: list[tuple[str, str]] = field(default_factory=list)
    """Name and outcome of each check."""
    failed: bool = False
    """Whether a check failed with an error."""

    def check(self, name: str, run: Callable[[], None], *, until: float) -> None:
        """Runs a check unless the time is up, and records its outcome."""
        started = time.monotonic()
        try:
            if started > until:
                raise NotRun(f"the time limit of {MINUTES:g} minutes was reached")
            run()
        except NotRun as error:
            outcome = f"**not run**: {error}"
        except Exception as error:  # noqa: BLE001 - reported on the page; the other checks still run
            self.failed = True
            outcome = f"**failed**: {type(error).__name__}: {_last_line(str(error))}"
        else:
            outcome = f"done in {time.monotonic() - started:.0f} s"
        print(f"{name}: {outcome}", flush=True)
        self.outcomes.append((name, outcome))


def run_checks(home: Path, save: Callable[[Report], None], *, dry: bool) -> Report:
    """Runs all checks, the most important ones first; adapters and logs go to `home`.

    `save` is called after each check, so that the page exists even if a later one is killed.
    """
    report, until = Report(), time.monotonic() + MINUTES * 60
    base: list[Path] = []

    def train(model: str, lesson: Lesson, backend: Backend) -> None:
        if dry and backend == "unsloth":
            raise NotRun("a dry run has no GPU")
        if backend == "unsloth" and importlib.util.find_spec("unsloth") is None:
            raise NotRun("Unsloth is not installed: `make setup GPU=1`, or the pack of `make gpu-pack`")
        if model == "base" and not base:
            raise NotRun("there is no base model; see the check above")
        folder, rounds = base[0] if model == "base" else TINY, DRY_ROUNDS if dry else ROUNDS
        out = home / f"{model}-{lesson}-{backend}"
        report.runs[model, lesson, backend] = train_in_subprocess(
            backend, folder, lesson, rounds, out, OFFLINE | (ONE_THREAD if dry else {})
        )

    def serve(engine: str) -> None:
        if dry:
            raise NotRun("a dry run trains no adapters to serve")
        if engine == "vLLM" and importlib.util.find_spec("vllm") is None:
            raise NotRun(_why_no_vllm())
        adapters = adapters_of(report.runs, home)
        if engine == "vLLM":
            report.served[engine] = check_vllm(base[0], adapters, home / "vllm.log")
        else:
            report.served[engine] = check_in_process(base[0], adapters)

    checks: list[tuple[str, Callable[[], None]]] = [
        (f"training, {model} model, {lesson}, {backend}", partial(train, model, lesson, backend))
        for model, lesson in TRAINED
        for backend in BACKENDS
        if not dry or model == "tiny"
    ]
    first = ("pack", check_pack) if dry else ("base model", lambda: base.append(find_base()))
    checks = [first, *checks, *((f"two adapters, {name}", partial(serve, name)) for name in ENGINES)]
    for name, run in checks:
        report.check(name, run, until=until)
        save(report)
    return report


def check_pack() -> None:
    """Verifies the files of `make gpu-pack`. Raises NotRun without any, RuntimeError if they are damaged."""
    if not PACK.is_dir():
        raise NotRun(f"there is no {PACK}: run `make gpu-pack`")
    completed = subprocess.run(
        ["requirements/gpu_pack.sh", "check", str(PACK)], capture_output=True, text=True, check=False
    )
    if completed.returncode:
        raise RuntimeError(_last_line(completed.stderr))


def train_in_subprocess(
    backend: Backend, base: Path, lesson: Lesson, rounds: int, out: Path, environment: Mapping[str, str]
) -> TrainingRun:
    """Trains in a new process, with its output in a log next to `out`. Raises RuntimeError."""
    command = [
        sys.executable, "-m", "benchmarks.gpu.train", backend, "--base", str(base), "--lesson", lesson,
        "--rounds", str(rounds), "--out", str(out),
    ]  # fmt: skip
    log = out.parent / f"{out.name}.log"
    with log.open("w", encoding="utf-8") as output:
        try:
            completed = subprocess.run(
                command,
                env={**os.environ, **environment},
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=TRAINING_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise RuntimeError(f"it took more than {TRAINING_SECONDS:.0f} s") from None
    if completed.returncode:
        log_text = log.read_text(encoding="utf-8", errors="replace")
        print(log_text[-3000:], file=sys.stderr, flush=True)
        raise RuntimeError(f"exit code {completed.returncode}: {_last_line(log_text)}")
    return read_run(out)


def adapters_of(runs: Mapping[tuple[str, Lesson, Backend], TrainingRun], home: Path) -> dict[Lesson, Path]:
    """A trained adapter for each lesson, preferably Unsloth's. Raises NotRun."""
    adapters: dict[Lesson, Path] = {
        lesson: home / f"base-{lesson}-{backend}"
        for backend in BACKENDS
        for model, lesson, trained_by in runs
        if (model, trained_by) == ("base", backend)
    }
    if len(adapters) < 2:
        raise NotRun("two trained adapters are needed; see the checks above")
    return adapters


def find_base() -> Path:
    """The base model in use; if none is, the default model is added from the pack. Raises NotRun."""
    settings, catalogue = read_settings(), shipped_catalogue()
    try:
        return resolve_model(settings).folder
    except ModelError as error:
        if settings.model is not None:
            raise NotRun(str(error)) from error
    store = ModelStore(settings.models)
    try:
        add_model(catalogue.default, store, catalogue, _NoProgress(), install=_refuse_install)
    except ModelRefused as error:
        raise NotRun(f"the default model cannot be added: {error}") from error
    return store.path(catalogue.default)


class _NoProgress:
    """Discards the progress of adding a model."""

    def say(self, what: str) -> None:
        """Discards the message."""

    def read(self, done: int, of: int) -> None:
        """Discards the progress."""


def _refuse_install(packages: Sequence[str]) -> None:
    raise ModelRefused(f"{' '.join(packages)} is missing from the unpacked files of `make gpu-pack`")


def _why_no_vllm() -> str:
    pinned = next(
        (
            line.split()[0]
            for line in Path("requirements/gpu.txt").read_text(encoding="utf-8").splitlines()
            if line.startswith("vllm==")
        ),
        "vllm",
    )
    return (
        f"vLLM is not installed. The pack does not contain it: {pinned} with its dependencies has 1 GB, and"
        f" it was built for another torch than {_version('torch')}. With a network, `make setup GPU=1`"
        " installs it"
    )


def figures_of(report: Report) -> dict[str, float]:
    """The measured figures: the largest difference in loss, and the mean ratio of speeds, over all pairs."""
    figures: dict[str, float] = {}
    pairs = [
        (report.runs[model, lesson, "peft"], report.runs[model, lesson, "unsloth"], model)
        for model, lesson, backend in report.runs
        if backend == "peft" and (model, lesson, "unsloth") in report.runs
    ]
    if pairs:
        figures["loss apart, first step"] = max(abs(p.losses[0] - u.losses[0]) for p, u, _ in pairs)
        figures["loss apart, last tenth"] = max(abs(p.final_loss - u.final_loss) for p, u, _ in pairs)
    if ratios := [p.median_step_seconds / u.median_step_seconds for p, u, model in pairs if model == "base"]:
        figures["speed, Unsloth over PEFT"] = sum(ratios) / len(ratios)
    for engine, served in report.served.items():
        figures[f"{engine}: answers by the adapter's own lesson"] = served.own
        figures[f"{engine}: answers by another lesson"] = served.other
        figures[f"{engine}: tokens a second, two adapters"] = served.adapters_rate
        figures[f"{engine}: tokens a second, base model"] = served.base_rate
    return figures


def result_of(report: Report, seconds: float, *, dry: bool) -> Result:
    """The result with its tables."""
    trained = [
        (model, lesson, run.backend, run.losses[0], run.final_loss, f"{run.median_step_seconds * 1000:.0f}",
         f"{run.tokens_per_second:.0f}", f"{run.peak_gb:.1f}", f"{run.seconds:.0f}", run.device)
        for (model, lesson, _), run in report.runs.items()
    ]  # fmt: skip
    served = [
        (engine, f"{each.own:.0%}", f"{each.other:.0%}", f"{each.start_seconds:.0f}", f"{each.base_rate:.0f}",
         f"{each.adapters_rate:.0f}")
        for engine, each in report.served.items()
    ]  # fmt: skip
    tables = (
        Table(
            title="Checks",
            text="Outcome of each check, with the reason if it did not run.",
            head=("check", "outcome"),
            rows=rows(report.outcomes),
        ),
        Table(
            title="Training",
            text="Both backends have the same lesson, recipe and seed. `base` is the model in use, `tiny` the"
            " model of the tests. The step time is the median after the first quarter of the steps. Tokens"
            " exclude padding.",
            head=("model", "lesson", "backend", "first loss", "final loss", "ms per step",
                  "tokens per second", "GPU GB", "total seconds", "device"),
            rows=rows(trained),
        ),
        Table(
            title="Two adapters at once",
            text="Concurrent requests to both adapters and the base model. The lessons define the same names"
            " differently, so an answer from another lesson means that adapters were mixed up.",
            head=("engine", "own lesson", "other lesson", "start s", "tokens per second, base",
                  "tokens per second, two adapters"),
            rows=rows(served),
        ),
        Table(
            title="Versions",
            text="Installed packages.",
            head=("package", "version"),
            rows=rows([(name, _version(name)) for name in PACKAGES]),
        ),
    )  # fmt: skip
    return Result(
        name="gpu",
        title="On a GPU" + (", dry run without one" if dry else ""),
        command="make gpu-check" + (" DRY=1" if dry else ""),
        seconds=seconds,
        figures=figures_of(report),
        goals=GOALS,
        tables=tables,
    )


def gpu() -> str | None:
    """The GPU's name, memory and driver; None if torch finds no GPU."""
    import torch

    if not torch.cuda.is_available():
        return None
    query = ["nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    try:
        lines = subprocess.run(query, capture_output=True, text=True, check=True, timeout=60).stdout
    except (OSError, subprocess.SubprocessError):
        return torch.cuda.get_device_name()
    return lines.strip().splitlines()[0]


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _last_line(text: str) -> str:
    lines = text.strip().splitlines() or ["no message"]
    return lines[-1][:300].replace("|", "/")


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the checks from the command line; the exit code is 1 without a GPU or if a check failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, help=f"folder for gpu.md and gpu.json; default: {FOLDER}")
    parser.add_argument("--commit", help="the checked commit, if there is no git")
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="only the checks that need no GPU; writes to a temporary folder",
    )
    options = parser.parse_args(arguments)
    device = gpu()
    if device is None and not options.dry_run:
        sys.exit(
            "gpu-check: torch finds no NVIDIA GPU. Run it on a machine that has one, or run"
            " `make gpu-check DRY=1` for the checks that need none."
        )
    started = time.monotonic()
    default = Path(tempfile.mkdtemp(prefix="gpu-check-")) if options.dry_run else FOLDER
    out: Path = options.out or default

    def save(report: Report) -> None:
        result = result_of(report, time.monotonic() - started, dry=options.dry_run)
        write(result, out, at=options.commit, on=f"{machine()}, {device or 'no GPU'}")

    with tempfile.TemporaryDirectory(prefix="gpu-check-") as home:
        report = run_checks(Path(home), save, dry=options.dry_run)
    print("\n".join(f"{name}: {figure:.4g}" for name, figure in figures_of(report).items()))
    print(f"written: {out / 'gpu.md'}")
    if report.failed:
        sys.exit("gpu-check: a check failed, see above")


if __name__ == "__main__":
    main()
