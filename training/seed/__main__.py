"""Owns the command line of the base model: `python -m training.seed [build|evaluate]`.

What the commands do is in `build` and `evaluate`.
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from agent.errors import EngineUnavailable
from training.seed import model
from training.seed.build import build
from training.seed.evaluate import evaluate
from training.seed.train import Recipe
from training.seed.wordnet import WordNetMissing


def main() -> int:
    """Parses the command line and runs the command; 2 means that the caller has to change something."""
    parser = argparse.ArgumentParser(prog="python -m training.seed", description="The base model that ships.")
    parser.add_argument(
        "command",
        nargs="?",
        choices=("build", "evaluate"),
        default="build",
        help="train anew and measure, or measure only",
    )
    parser.add_argument("--out", type=Path, default=model.FOLDER, help="folder of the model")
    parser.add_argument(
        "--scratch", type=Path, default=Path(".nightschool/seed"), help="folder of checkpoints"
    )
    parser.add_argument("--minutes", type=float, default=Recipe.minutes, help="minutes of training")
    parser.add_argument("--threads", type=int, default=Recipe.threads, help="threads of training")
    parser.add_argument("--resume", action="store_true", help="go on where a stopped run left off")
    asked = parser.parse_args()
    try:
        if asked.command == "build":
            recipe = replace(Recipe(), minutes=asked.minutes, threads=asked.threads)
            build(asked.out, asked.scratch, recipe, resume=asked.resume)
        evaluate(asked.out)
    except (WordNetMissing, FileNotFoundError, EngineUnavailable) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
