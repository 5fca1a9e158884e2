"""Benchmark of the night: `python -m benchmarks.night --data ../shared/data`.

Each part can run alone. Its result is kept beside the page, in docs/results/night, and merged into the page
with those of the other parts; a part that was broken off goes on where it was.
"""

import argparse
import asyncio
import shutil
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

from agent.models.store import resolve_model
from agent.settings import read_settings
from benchmarks.night import fortnight, locomo, revision, scale, scorer
from benchmarks.night.bench import Bench
from benchmarks.night.results import NAME, PARTS, page
from benchmarks.parts import PartResult, keep, kept
from memory.results import FOLDER, commit, machine, write

HOME = Path(".nightschool/bench-night")
MEASURE: Mapping[str, Callable[[Bench], Awaitable[PartResult]]] = {
    "scorer": scorer.measure,
    "revision": revision.measure,
    "locomo": locomo.measure,
    "fortnight": fortnight.measure,
    "scale": scale.measure,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures, and writes the page."""
    options = _options(arguments)
    home = options.home or HOME.with_name(f"{HOME.name}-quick" if options.quick else HOME.name)
    if options.fresh or options.quick:
        shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True, exist_ok=True)
    model, command = open_model(options.model), _command(options)
    bench = model(
        home=home,
        data=options.data,
        quick=options.quick,
        conversations=options.conversations,
        nights=options.nights,
        questions=options.questions,
        ray=read_settings().ray,
    )
    folder = home / NAME if options.quick else options.out / NAME
    asyncio.run(_run(bench, options.parts, command, folder))
    result = page(kept(folder, PARTS), quick=options.quick, command=command, model=bench.card.name)
    write(result, options.out)
    print((options.out / f"{result.name}.md").read_text(encoding="utf-8"))
    return 0


async def run_part(bench: Bench, part: str, command: str) -> PartResult:
    """Measures one part."""
    bench.say(f"measuring {part}")
    started = time.monotonic()
    measured = await MEASURE[part](bench)
    result = measured.model_copy(
        update={
            "seconds": time.monotonic() - started,
            "command": command,
            "machine": machine(),
            "commit": commit(),
        }
    )
    bench.say(f"{part}: {result.seconds / 60:.1f} minutes")
    return result


def open_model(name: str | None) -> Callable[..., Bench]:
    """A Bench with the model in this process, and without the other fields."""
    from agent.engines.local import LocalEngine
    from memory.embedding.embedder import SentenceEmbedder

    model = resolve_model(read_settings(**({"model": name} if name else {})))
    engine = LocalEngine.open(model.folder, model.card.template)

    def opened(**fields: object) -> Bench:
        return Bench(
            card=model.card,
            engine=engine,
            embedder=SentenceEmbedder(),
            model_folder=model.folder,
            **fields,  # type: ignore[arg-type]  # the caller's
        )

    return opened


async def _run(bench: Bench, parts: Sequence[str], command: str, folder: Path) -> None:
    for part in parts:
        keep(folder, await run_part(bench, part, command))


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.night", description="Proves the night on people's questions and talk."
    )
    parser.add_argument("--data", type=Path, required=True, help="folder with squad/, manuals/ and locomo/")
    parser.add_argument("--parts", type=_parts, default=PARTS, help=f"by commas: {','.join(PARTS)}")
    parser.add_argument(
        "--conversations", type=_words, default=(), help="ids of LoCoMo by commas; default: all"
    )
    parser.add_argument("--nights", type=int, default=6, help="nights per conversation (default: 6)")
    parser.add_argument("--questions", type=int, help="questions per kind at most; default: each part's own")
    parser.add_argument("--model", help="a model's name or folder; default: the one in use")
    parser.add_argument("--quick", action="store_true", help="a little of everything, in minutes")
    parser.add_argument("--fresh", action="store_true", help="begin anew in place of going on")
    parser.add_argument("--home", type=Path, help=f"default: {HOME}, or {HOME}-quick")
    parser.add_argument("--out", type=Path, default=FOLDER, help=f"folder of the results (default: {FOLDER})")
    return parser.parse_args(arguments)


def _parts(text: str) -> tuple[str, ...]:
    chosen = _words(text)
    if unknown := sorted(set(chosen) - set(PARTS)):
        raise argparse.ArgumentTypeError(f"no part {unknown[0]!r}: choose from {', '.join(PARTS)}")
    return chosen


def _words(text: str) -> tuple[str, ...]:
    return tuple(word for word in text.split(",") if word)


def _command(options: argparse.Namespace) -> str:
    words = [
        "make bench-night",
        f"DATA={options.data}",
        f"PARTS={','.join(options.parts)}" if options.parts != PARTS else "",
        f"CONVERSATIONS={','.join(options.conversations)}" if options.conversations else "",
        f"NIGHTS={options.nights}" if options.nights != 6 else "",
        f"QUESTIONS={options.questions}" if options.questions else "",
        f"MODEL={options.model}" if options.model else "",
        "QUICK=1" if options.quick else "",
    ]
    return " ".join(word for word in words if word)


if __name__ == "__main__":
    sys.exit(main())
