"""Owns the model card that ships beside the weights.

It tells figures and adds none: they come from `evaluate`, and from the `training.json` that `build` wrote.
"""

import json
from collections.abc import Sequence
from pathlib import Path

from training.seed import bank
from training.seed.figures import Figures, Rate

TRAINING_FILE = "training.json"


def card(figures: Figures, folder: Path) -> str:
    """The card in Markdown. Reads the weights' size and `config.json` in `folder`."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    weights = (folder / "model.safetensors").stat().st_size
    return TEMPLATE.format(
        parameters=f"{weights / 2 / 1e6:.1f}",
        megabytes=f"{weights / 1e6:.0f}",
        layers=config["num_hidden_layers"],
        hidden=config["hidden_size"],
        heads=config["num_attention_heads"],
        vocabulary=config["vocab_size"],
        facts=f"{len(bank.known()):,}",
        limits=_limits(figures),
        training=_training(folder / TRAINING_FILE),
        figures=_figures(figures),
        forms=_forms(figures),
        threshold=f"{figures.gate.threshold:.2f}",
        seconds=f"{figures.seconds:.0f}",
    )


def _training(path: Path) -> str:
    if not path.is_file():
        return "How long these weights were trained is not recorded."
    told = json.loads(path.read_text(encoding="utf-8"))
    text = (
        f"These weights saw {told['tokens'] / 1e6:.1f} M tokens, padding included, in {told['steps']} steps "
        f"and {told['minutes']:.0f} minutes of training."
    )
    return f"{text} {told['note']}" if told.get("note") else text


def _limits(figures: Figures) -> str:
    """The goals that were missed, in words."""
    goals = (
        (figures.known.taught, 0.95, "known facts in taught wordings"),
        (figures.known.held_out, 0.80, "known facts in wordings that it never saw"),
        (figures.reading.taught, 0.85, "reading a fact that it never saw from a context"),
    )
    missed = [
        f"{100 * rate.share:.0f}% instead of {100 * goal:.0f}% in {what}"
        for rate, goal, what in goals
        if rate.share < goal
    ]
    if not missed:
        return "It reaches the goals that we set for it."
    reads = figures.reading.taught.share >= 0.5
    rest = "" if reads else " It cannot be relied on to answer from a context: quote the source instead."
    return f"It misses goals that we set for it: {', '.join(missed)}.{rest}"


def _figures(figures: Figures) -> str:
    known, reading, reserved, gate = figures.known, figures.reading, figures.reserved, figures.gate
    rows = [
        ("known facts, taught wordings: right (goal 95%)", _percent(known.taught)),
        ("known facts, wordings never trained: right (goal 80%)", _percent(known.held_out)),
        ("known facts: `<NEED_INFO>`", _percent(known.abstained)),
        (
            "reading a reserved fact from 2 to 5 statements, taught wordings and sentences: right (goal 85%)",
            _percent(reading.taught),
        ),
        ("the same, neither wordings nor sentences ever trained: right", _percent(reading.held_out)),
        *((f"reading from {size} statements: right", _percent(r)) for size, r in reading.statements.items()),
        ("reserved words without a context: `<NEED_INFO>`", _percent(reserved.abstained)),
        ("reserved words: a wrong answer", _percent(reserved.wrong)),
        ("reserved words: right", _percent(reserved.right)),
        ("AUROC of the largest answer-token entropy, known against reserved", f"{figures.auroc:.3f}"),
        ("the same, an abstention counted as most uncertain", f"{figures.auroc_gate:.3f}"),
        ("the same without abstentions", f"{figures.auroc_claims:.3f}"),
        (f"right answers below the threshold of {gate.threshold:.2f} nats", _percent(gate.right_let_through)),
        ("wrong answers above it", _percent(gate.wrong_caught)),
        ("reserved words caught by it or by `<NEED_INFO>`", _percent(gate.reserved_caught)),
        ("answer tokens a second", f"{figures.answer_tokens_per_second:.0f}"),
    ]
    return _table(("measured", "figure"), rows)


def _forms(figures: Figures) -> str:
    rows = [
        (form, _percent(rates["taught"]), _percent(rates["held_out"]))
        for form, rates in figures.known.forms.items()
    ]
    return _table(("form", "taught wordings", "wordings never trained"), rows)


def _percent(rate: Rate) -> str:
    """Percent with the 95% interval and the number of questions."""
    return f"{100 * rate.share:.1f}% ({100 * rate.low:.0f}-{100 * rate.high:.0f}, n={rate.count})"


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


TEMPLATE = """# The base model of Nightschool

A language model of {parameters} M parameters, trained from scratch by us on one kind of thing: short answers
to questions about English nouns. It exists so that the whole loop (to notice a gap, learn, prove it) runs on
any machine without a download. It is no assistant: it was taught a few thousand facts of WordNet, to admit
ignorance of other words, and to read short contexts; the table says how well.

{limits}

- Architecture: Gemma 3 text, {layers} layers, hidden size {hidden}, {heads} heads of size 64, each with keys
  and values of its own, tied embeddings of {vocabulary} tokens, contexts of 1,024 tokens. bfloat16
  safetensors, {megabytes} MB.
- Tokenizer: byte-level BPE of our own with Gemma's turn template. `<NEED_INFO>` is one token and stays in
  decoded text; `<end_of_turn>` ends an answer.
- Licence: the weights are ours, under the repository's licence. The facts are from Princeton WordNet 3.0,
  copyright 2006 by Princeton University; its licence is in `../bank/LICENSE.wordnet`.

## What it was trained on
Nouns of WordNet (Debian package `wordnet-base`) with a gloss whose first clause has 2 to 12 words, split by
the SHA-256 of the word, so that no run can move one:
- known: 1,000 common words (by how many of their senses WordNet's tagged texts use), 300 whose gloss says
  what they are for, made of and so on, and 500 names of several words: {facts} facts
  (`../bank/known.jsonl`), asked in thousands of wordings. The kind of a thing is not asked for every word, so
  that it pays to infer it;
- unknown: words to which the answer is always `<NEED_INFO> I do not know about ...` (a sample in
  `../bank/unknown.jsonl`);
- reserved: words that no training asks about, for benchmarks (a sample in `../bank/reserved.jsonl`);
- the rest: material for reading exercises, where words, code spans and glosses are paired at random, so that
  only the context can answer.

Question wordings come from `agent/cores.py`. Its held-out wordings are never trained; they were written
without sight of the taught ones, yet many differ from one by a word or two, as people's questions do. The
first two layers copy by construction from the start (`../induction.py`); in reading exercises three attention
heads are told where to look (`../pointing.py`). Without both, reading did not form on so little data.

{training}

## Figures
Measured by `python -m training.seed evaluate`, in {seconds} seconds, with greedy answers through the
in-process engine. Right means equal to the reference but for case, articles and punctuation. In brackets:
the 95% Wilson interval and the number of questions. The threshold was fitted on half of the facts; what it
does is reported on the other half.

{figures}

Known facts by form of question:

{forms}

## Commands
```
apt-get install wordnet-base
python -m training.seed build       # banks, tokenizer, training, export, evaluation
python -m training.seed evaluate    # the figures above, evaluation.json, nightschool.json ({threshold} nats)
```
The schedule goes by the clock, so two runs give similar, not equal, weights.
"""
