"""Owns the order in which the base model comes about: banks, tokenizer, training, export.

Measuring the result is for `evaluate`.
"""

import json
import random
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from agent.scoring import normalise
from transformers import Gemma3ForCausalLM, PreTrainedTokenizerFast

from training.seed import bank, model, tokenizer
from training.seed.bank import BankFact
from training.seed.card import TRAINING_FILE
from training.seed.data import epochs, known, unknown
from training.seed.facts import Facts, divide, share
from training.seed.material import Material, gather
from training.seed.reading import exercise
from training.seed.train import Progress, Recipe, train

UNKNOWN_SHIPPED = 0.053
"""Share of the words taught as unknown that the bank lists, some 2,000 facts; replay needs no more."""
RESERVED_SHIPPED = 0.61
"""Share of the reserved words that the bank lists, some 3,500: a file below a megabyte."""
SPELLED = 30_000
"""Known facts, and as many unknown ones, whose questions the tokenizer is trained on."""


def build(out: Path, scratch: Path, recipe: Recipe, *, resume: bool) -> Progress:
    """Trains from scratch, or goes on from `scratch`, and exports to `out`.

    Raises WordNetMissing, and FileNotFoundError when there is nothing to resume.
    """
    facts = divide()
    material = gather(facts)
    write_banks(facts)
    folder = scratch / "tokenizer"
    if resume and not folder.is_dir():
        raise FileNotFoundError(f"nothing to resume: {folder} is missing; start again without --resume")
    if resume:
        spelling = PreTrainedTokenizerFast.from_pretrained(folder)
    else:
        print("training the tokenizer", flush=True)
        spelling = tokenizer.train(texts(facts, material))
        spelling.save_pretrained(folder)

    finished = scratch / "model"

    def publish(trained: Gemma3ForCausalLM) -> None:
        model.export(trained, spelling, finished)
        print(f"wrote {finished}", flush=True)

    progress = train(facts, material, spelling, recipe, scratch, resume=resume, publish=publish)
    shutil.copytree(finished, out, dirs_exist_ok=True)
    told = {
        "minutes": round(progress.seconds / 60, 1),
        "steps": progress.steps,
        "tokens": progress.tokens,
        "threads": recipe.threads,
    }
    (out / TRAINING_FILE).write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    return progress


def write_banks(facts: Facts, folder: Path = bank.FOLDER) -> None:
    """Writes the three banks that ship beside the weights; the same facts always give the same files."""
    bank.write("known", facts.known, folder)
    bank.write("unknown", shipped_unknown(facts), folder)
    bank.write("reserved", shipped_reserved(facts), folder)


def shipped_unknown(facts: Facts) -> list[BankFact]:
    """A sample of the words that are taught as unknown, whole words at a time."""
    return _sample(facts.unknown, UNKNOWN_SHIPPED)


def shipped_reserved(facts: Facts) -> list[BankFact]:
    """A sample of the reserved words, without those that happen to be the answer of a known fact."""
    answers = {normalise(fact.answer) for fact in facts.known}
    never = [fact for fact in facts.reserved if normalise(fact.subject) not in answers]
    return _sample(never, RESERVED_SHIPPED)


def texts(facts: Facts, material: Material) -> Iterator[str]:
    """What the tokenizer is trained on: questions, answers and contexts as training draws them."""
    rng = random.Random(0)
    queue = epochs(facts.known, rng)
    for _ in range(SPELLED):
        for turn in (*known(rng, material, next(queue)), *unknown(rng, material, facts.unknown)):
            yield from (turn.user, tokenizer.answer(turn.model))
    for _ in range(SPELLED // 2):
        for turn in exercise(rng, material, most=7):
            yield from (turn.user, tokenizer.answer(turn.model))


def _sample(facts: Sequence[BankFact], part: float) -> list[BankFact]:
    return [fact for fact in facts if share(f"shipped|{fact.subject}") < part]
