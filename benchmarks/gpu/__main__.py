"""What only a GPU can show: `python -m benchmarks.gpu`, in at most ten minutes and without a network.

Trains the same lessons with PEFT and with Unsloth, side by side, and serves two of the adapters at once. The
page gives the reason for each check that could not run, and leaves its figures empty. `--dry-run` needs no
GPU: it checks the pack, trains a few steps with PEFT and writes the page.
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
from benchmarks.gpu.serve import Served, by_vllm, in_process
from benchmarks.gpu.train import ROUNDS, Backend, Lesson, TrainingRun, read_run
from memory.results import FOLDER, Goal, Result, Table, machine, rows, write

MINUTES = 7.0
"""After which nothing new is begun; a command on a lent machine ends after ten."""
TRAINING_SECONDS = 150.0
"""Most for one training run: Unsloth compiles first."""
DRY_ROUNDS = 2
TINY = Path("tests/fixtures/tiny-model")
PACK = Path(".gpu")
BACKENDS: tuple[Backend, ...] = ("peft", "unsloth")
TRAINED: tuple[tuple[str, Lesson], ...] = (("base", "lamps"), ("base", "rivers"), ("tiny", "lamps"))
"""Models and what they are taught, each by both backends."""
ENGINES = ("vLLM", "in-process")
PACKAGES = ("torch", "triton", "transformers", "peft", "trl", "unsloth", "unsloth-zoo", "vllm")
OFFLINE = {
    "HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "UNSLOTH_DISABLE_STATISTICS": "1",
    "UNSLOTH_DISABLE_CPU_FALLBACK": "1", "TOKENIZERS_PARALLELISM": "false",
}  # fmt: skip
GOALS = {
    "loss apart, first step": Goal(at="<=", bound=0.05),  # nothing is trained yet: the forward pass alone
    "loss apart, last tenth": Goal(at="<=", bound=0.2),  # as tests/gpu/test_unsloth.py has it
    "speed, Unsloth over PEFT": Goal(at=">=", bound=1.0),
    "vLLM: answers by the adapter's own lesson": Goal(at=">=", bound=0.8),
    "vLLM: answers by another lesson": Goal(at="<=", bound=0.05),
}


ONE_THREAD = {"OMP_NUM_THREADS": "1"}
"""For a dry run: so little work only waits for other threads, minutes on a busy machine."""


class NotRun(Exception):
    """A check lacks something here; the message says what."""


@dataclass
class Report:
    """What is known so far."""

    runs: dict[tuple[str, Lesson, Backend], TrainingRun] = field(default_factory=dict)
    """By model, lesson and backend."""
    served: dict[str, Served] = field(default_factory=dict)
    """By engine."""
    outcomes: list[tuple[str, str]] = field(default_factory=list)
    """Each check, and what became of it."""
    failed: bool = False
    """Whether a check broke off."""

    def check(self, name: str, run: Callable[[], None], *, until: float) -> None:
        """Runs one check, unless the time is up, and notes what became of it."""
        started = time.monotonic()
        try:
            if started > until:
                raise NotRun(f"the {MINUTES:g} minutes were over")
            run()
        except NotRun as error:
            outcome = f"**not run**: {error}"
        except Exception as error:  # noqa: BLE001 - the page names it, and the other checks still run
            self.failed = True
            outcome = f"**failed**: {type(error).__name__}: {_last_line(str(error))}"
        else:
            outcome = f"done in {time.monotonic() - started:.0f} s"
        print(f"{name}: {outcome}", flush=True)
        self.outcomes.append((name, outcome))


def run_checks(home: Path, save: Callable[[Report], None], *, dry: bool) -> Report:
    """All checks, the most telling ones first; `home` gets adapters and logs.

    `save` is called after each, so that the page is there even if the last one is killed.
    """
    report, until = Report(), time.monotonic() + MINUTES * 60
    base: list[Path] = []

    def train(model: str, lesson: Lesson, backend: Backend) -> None:
        if dry and backend == "unsloth":
            raise NotRun("a dry run has no GPU")
        if backend == "unsloth" and importlib.util.find_spec("unsloth") is None:
            raise NotRun("Unsloth is not installed: `make setup GPU=1`, or the pack of `make gpu-pack`")
        if model == "base" and not base:
            raise NotRun("there is no base model, see above")
        folder, rounds = base[0] if model == "base" else TINY, DRY_ROUNDS if dry else ROUNDS
        out = home / f"{model}-{lesson}-{backend}"
        report.runs[model, lesson, backend] = train_apart(
            backend, folder, lesson, rounds, out, OFFLINE | (ONE_THREAD if dry else {})
        )

    def serve(engine: str) -> None:
        if dry:
            raise NotRun("a dry run trains no adapters that could be served")
        if engine == "vLLM" and importlib.util.find_spec("vllm") is None:
            raise NotRun(_why_no_vllm())
        adapters = adapters_of(report.runs, home)
        if engine == "vLLM":
            report.served[engine] = by_vllm(base[0], adapters, home / "vllm.log")
        else:
            report.served[engine] = in_process(base[0], adapters)

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
    """Whether the pieces that `make gpu-pack` made are whole. Raises NotRun without any, RuntimeError."""
    if not PACK.is_dir():
        raise NotRun(f"there is no {PACK}: `make gpu-pack` makes it")
    done = subprocess.run(
        ["requirements/gpu_pack.sh", "check", str(PACK)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(_last_line(done.stderr))


def train_apart(
    backend: Backend, base: Path, lesson: Lesson, rounds: int, out: Path, environment: Mapping[str, str]
) -> TrainingRun:
    """One run in a process of its own, its output in a log beside `out`. Raises RuntimeError."""
    command = [
        sys.executable, "-m", "benchmarks.gpu.train", backend, "--base", str(base), "--lesson", lesson,
        "--rounds", str(rounds), "--out", str(out),
    ]  # fmt: skip
    log = out.parent / f"{out.name}.log"
    with log.open("w", encoding="utf-8") as output:
        try:
            done = subprocess.run(
                command,
                env={**os.environ, **environment},
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=TRAINING_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise RuntimeError(f"it took more than {TRAINING_SECONDS:.0f} s") from None
    if done.returncode:
        said = log.read_text(encoding="utf-8", errors="replace")
        print(said[-3000:], file=sys.stderr, flush=True)
        raise RuntimeError(f"it ended with {done.returncode}: {_last_line(said)}")
    return read_run(out)


def adapters_of(runs: Mapping[tuple[str, Lesson, Backend], TrainingRun], home: Path) -> dict[Lesson, Path]:
    """One trained adapter for each lesson, Unsloth's where it made one. Raises NotRun."""
    found: dict[Lesson, Path] = {
        lesson: home / f"base-{lesson}-{backend}"
        for backend in BACKENDS
        for model, lesson, by in runs
        if (model, by) == ("base", backend)
    }
    if len(found) < 2:
        raise NotRun("two trained adapters are needed, see above")
    return found


def find_base() -> Path:
    """The base model in use; the default one is adopted from the pack first. Raises NotRun."""
    settings, catalogue = read_settings(), shipped_catalogue()
    try:
        return resolve_model(settings).folder
    except ModelError as error:
        if settings.model is not None:
            raise NotRun(str(error)) from error
    store = ModelStore(settings.models)
    try:
        add_model(catalogue.default, store, catalogue, _Quiet(), install=_not_packed)
    except ModelRefused as error:
        raise NotRun(f"the default model cannot be adopted: {error}") from error
    return store.path(catalogue.default)


class _Quiet:
    """Progress of an adoption that nobody watches."""

    def say(self, what: str) -> None:
        """Not said."""

    def read(self, done: int, of: int) -> None:
        """Not counted."""


def _not_packed(packages: Sequence[str]) -> None:
    raise ModelRefused(f"{' '.join(packages)} is not among the unpacked pieces of `make gpu-pack`")


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
        f"vLLM is not installed, and the pack leaves it out: {pinned} with its needs is 1 GB, and built for"
        f" another torch than {_version('torch')}. `make setup GPU=1` installs it where there is a network"
    )


def figures_of(report: Report) -> dict[str, float]:
    """What was measured; the worst pair of runs for the losses, the mean of the pairs for speed."""
    found: dict[str, float] = {}
    pairs = [
        (report.runs[model, lesson, "peft"], report.runs[model, lesson, "unsloth"], model)
        for model, lesson, backend in report.runs
        if backend == "peft" and (model, lesson, "unsloth") in report.runs
    ]
    if pairs:
        found["loss apart, first step"] = max(abs(p.losses[0] - u.losses[0]) for p, u, _ in pairs)
        found["loss apart, last tenth"] = max(abs(p.last_loss - u.last_loss) for p, u, _ in pairs)
    if ratios := [p.steady_step / u.steady_step for p, u, model in pairs if model == "base"]:
        found["speed, Unsloth over PEFT"] = sum(ratios) / len(ratios)
    for engine, served in report.served.items():
        found[f"{engine}: answers by the adapter's own lesson"] = served.own
        found[f"{engine}: answers by another lesson"] = served.other
        found[f"{engine}: tokens a second, two adapters"] = served.adapters_rate
        found[f"{engine}: tokens a second, base model"] = served.base_rate
    return found


def result_of(report: Report, seconds: float, *, dry: bool) -> Result:
    """The page."""
    trained = [
        (model, lesson, run.backend, run.losses[0], run.last_loss, f"{run.steady_step * 1000:.0f}",
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
            text="What ran, and why the rest did not.",
            head=("check", "outcome"),
            rows=rows(report.outcomes),
        ),
        Table(
            title="Training, side by side",
            text="The same lesson, recipe and seed. `base` is the model in use, `tiny` the tests' model. The"
            " time of a step is the median after the first quarter; its tokens are without padding.",
            head=("model", "lesson", "backend", "first loss", "last loss", "ms a step", "tokens a second",
                  "GPU GB", "seconds in all", "on"),
            rows=rows(trained),
        ),
        Table(
            title="Two adapters at once",
            text="Both adapters and the base model were asked at once. The lessons say different things of"
            " the same names: an answer by another lesson means that an adapter was mixed up.",
            head=("engine", "by its own lesson", "by another", "start s", "tokens a second, base",
                  "with two adapters"),
            rows=rows(served),
        ),
        Table(
            title="Versions",
            text="What was installed.",
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
    """The GPU's name, memory and driver; None where torch has none."""
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
    """The command line; exit code 1 without a GPU, or where a check broke off."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, help=f"folder for gpu.md and gpu.json; default: {FOLDER}")
    parser.add_argument("--commit", help="the commit that is checked, where git cannot be asked")
    parser.add_argument("--dry-run", action="store_true", help="what needs no GPU, into a temporary folder")
    options = parser.parse_args(arguments)
    found = gpu()
    if found is None and not options.dry_run:
        sys.exit(
            "gpu-check: there is no NVIDIA GPU here that torch can use. Run it on a machine that has one, or"
            " `make gpu-check DRY=1` for what needs none."
        )
    started = time.monotonic()
    default = Path(tempfile.mkdtemp(prefix="gpu-check-")) if options.dry_run else FOLDER
    out: Path = options.out or default

    def save(report: Report) -> None:
        result = result_of(report, time.monotonic() - started, dry=options.dry_run)
        write(result, out, at=options.commit, on=f"{machine()}, {found or 'no GPU'}")

    with tempfile.TemporaryDirectory(prefix="gpu-check-") as home:
        report = run_checks(Path(home), save, dry=options.dry_run)
    print("\n".join(f"{name}: {figure:.4g}" for name, figure in figures_of(report).items()))
    print(f"written: {out / 'gpu.md'}")
    if report.failed:
        sys.exit("gpu-check: a check broke off, see above")


if __name__ == "__main__":
    main()
