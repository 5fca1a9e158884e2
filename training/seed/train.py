"""Owns the training of the base model from scratch: loss on answers, a schedule by the clock, resumable.

What it is trained on is `data`; how weights are written for serving is `model`.
"""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch.nn import functional
from transformers import Gemma3ForCausalLM, PreTrainedTokenizerFast

from training.seed import pointing
from training.seed.data import IGNORED, Batch, Step, epochs, step_at
from training.seed.facts import Facts
from training.seed.material import Material
from training.seed.model import create

STATE = "state.safetensors"
CHOICES = 2
"""How often a yes/no question is drawn for once that others are: half of them ask of another kind."""


@dataclass(frozen=True)
class Recipe:
    """How long and how fast to train, with AdamW; rate, betas and decay were the best of a few short runs."""

    minutes: float = 258.0
    rate: float = 2e-3
    """Peak learning rate."""
    betas: tuple[float, float] = (0.9, 0.97)
    weight_decay: float = 0.02
    """Of matrices."""
    warm_up: int = 40
    """Steps in which the rate rises to its peak."""
    plateau: float = 0.35
    """Share of the time up to which the rate stays there; then it falls in a straight line to 1%."""
    save_minutes: float = 5.0
    threads: int = 2
    seed: int = 0


@dataclass
class Progress:
    """How far training has come; this, weights and moments are all that a resumed run needs."""

    seconds: float = 0.0
    steps: int = 0
    tokens: int = 0


@dataclass
class Meter:
    """Loss and share of right answer tokens since the last line of progress, by kind of batch."""

    loss: dict[str, float] = field(default_factory=dict)
    right: dict[str, int] = field(default_factory=dict)
    seen: dict[str, int] = field(default_factory=dict)

    def add(self, kind: str, loss: float, right: int, seen: int) -> None:
        """Counts one batch: the sum of its losses in nats, its right answer tokens, and all of them."""
        self.loss[kind] = self.loss.get(kind, 0.0) + loss
        self.right[kind] = self.right.get(kind, 0) + right
        self.seen[kind] = self.seen.get(kind, 0) + seen

    def __str__(self) -> str:
        return "  ".join(
            f"{kind}: loss {self.loss[kind] / seen:.3f}, tokens right {self.right[kind] / seen:.3f}"
            for kind, seen in self.seen.items()
        )


def rate_share(recipe: Recipe, progress: Progress, done: float) -> float:
    """The share of the peak learning rate at `done` in [0, 1] of the time."""
    warm = min(1.0, (progress.steps + 1) / recipe.warm_up)
    left = (1 - done) / (1 - recipe.plateau)
    return max(0.01, warm * min(1.0, left))


def train(
    facts: Facts,
    material: Material,
    tokenizer: PreTrainedTokenizerFast,
    recipe: Recipe,
    scratch: Path,
    *,
    resume: bool,
    publish: Callable[[Gemma3ForCausalLM], None],
    clock: Callable[[], float] = time.monotonic,
) -> Progress:
    """Trains for `recipe.minutes` of its own time, from nothing or from where a killed run left off.

    The state goes to `scratch`, and `publish` is called, every few minutes and at the end. The schedule goes
    by the clock, so a busy machine makes a worse model, not a later one. Raises FileNotFoundError when there
    is nothing to resume.
    """
    torch.set_num_threads(recipe.threads)
    model, optimizer, progress = _start(len(tokenizer), recipe, scratch, resume=resume)
    model.set_attn_implementation("eager")  # gives attentions, and is faster at this size
    rng = random.Random(f"{recipe.seed} {progress.steps}")
    choices = [fact for fact in facts.known if fact.form == "yes_no"]
    known = epochs((*facts.known, *choices * (CHOICES - 1)), rng)
    budget = recipe.minutes * 60
    start = clock() - progress.seconds
    saved = logged = clock()
    meter, since = Meter(), progress.tokens
    while (done := (clock() - start) / budget) < 1:
        for group in optimizer.param_groups:
            group["lr"] = recipe.rate * rate_share(recipe, progress, done)
        step = step_at(done, facts, material, tokenizer, rng, known)
        _update(model, optimizer, step, meter)
        progress.steps += 1
        progress.tokens += sum(batch.ids.numel() for batch in (*step.short, *step.reading))
        progress.seconds = clock() - start
        if clock() - logged > 20:
            speed = (progress.tokens - since) / (clock() - logged)
            print(
                f"{progress.seconds / 60:5.1f} of {recipe.minutes:.0f} min  step {progress.steps}  "
                f"{progress.tokens / 1e6:.2f} M tokens  {speed:.0f}/s  {meter}",
                flush=True,
            )
            meter, since, logged = Meter(), progress.tokens, clock()
        if clock() - saved > recipe.save_minutes * 60:
            _save(model, optimizer, scratch, progress)
            publish(model)
            saved = clock()
    _save(model, optimizer, scratch, progress)
    publish(model)
    return progress


def _start(
    vocabulary: int, recipe: Recipe, scratch: Path, *, resume: bool
) -> tuple[Gemma3ForCausalLM, torch.optim.Optimizer, Progress]:
    """A new model, or the one of a stopped run with its optimizer."""
    if not resume:
        model = create(vocabulary, seed=recipe.seed)
        return model, _optimizer(model, recipe), Progress()
    path = scratch / STATE
    if not path.is_file():
        raise FileNotFoundError(f"nothing to resume: {path} is missing; start again without --resume")
    tensors = load_file(path)
    seconds, steps, tokens = tensors.pop("progress").tolist()
    progress = Progress(seconds, int(steps), int(tokens))
    model = create(vocabulary, seed=recipe.seed)
    optimizer = _optimizer(model, recipe)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(tensors[f"model/{name}"])
    moments: dict[int, dict[str, torch.Tensor]] = {}
    for key, value in tensors.items():
        kind, _, rest = key.partition("/")
        if kind == "optimizer":
            index, _, name = rest.partition("/")
            moments.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict({**optimizer.state_dict(), "state": moments})
    return model, optimizer, progress


def _optimizer(model: Gemma3ForCausalLM, recipe: Recipe) -> torch.optim.Optimizer:
    matrices = [p for p in model.parameters() if p.dim() == 2]
    scales = [p for p in model.parameters() if p.dim() < 2]
    groups = [
        {"params": matrices, "weight_decay": recipe.weight_decay},
        {"params": scales, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=recipe.rate, betas=recipe.betas, fused=True)


def _update(model: Gemma3ForCausalLM, optimizer: torch.optim.Optimizer, step: Step, meter: Meter) -> None:
    """One update on the mean loss of all answer tokens of the step, plus the loss on where reading looks."""
    answers = sum(batch.answer_tokens for batch in (*step.short, *step.reading))
    model.train()
    for batch in step.short:
        summed, right, _ = _losses(model, batch)
        (summed / answers).backward()  # type: ignore[no-untyped-call]
        meter.add("short", summed.item(), right, batch.answer_tokens)
    for batch in step.reading:
        summed, right, attentions = _losses(model, batch, attentions=True)
        looking = pointing.loss(attentions, batch.links) / len(step.reading)
        (summed / answers + step.pointing * looking).backward()  # type: ignore[no-untyped-call]
        meter.add("reading", summed.item(), right, batch.answer_tokens)
        meter.add("pointing", looking.item() * len(step.reading), 0, 1)
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad()


def _losses(
    model: Gemma3ForCausalLM, batch: Batch, *, attentions: bool = False
) -> tuple[torch.Tensor, int, tuple[torch.Tensor, ...]]:
    """(summed loss of the answer tokens in nats, how many are right, attentions [rows, heads, length, length]
    of each layer if asked for).

    Logits are made only where they are asked for. Padding is on the right, so the causal mask suffices.
    """
    wanted = batch.labels[:, 1:]
    with torch.autocast("cpu", torch.bfloat16):
        out = model.model(input_ids=batch.ids, use_cache=False, output_attentions=attentions)
        logits = model.lm_head(out.last_hidden_state[:, :-1][wanted != IGNORED]).float()
    targets = wanted[wanted != IGNORED]
    right = int((logits.argmax(-1) == targets).sum())
    return functional.cross_entropy(logits, targets, reduction="sum"), right, out.attentions or ()


def _save(
    model: Gemma3ForCausalLM, optimizer: torch.optim.Optimizer, scratch: Path, progress: Progress
) -> None:
    """Weights, moments and progress in one safetensors file, put in place whole."""
    scratch.mkdir(parents=True, exist_ok=True)
    tensors = {f"model/{name}": p.detach().contiguous() for name, p in model.named_parameters()}
    for index, moments in optimizer.state_dict()["state"].items():
        for name, value in moments.items():
            tensors[f"optimizer/{index}/{name}"] = torch.as_tensor(value).contiguous()
    figures = [progress.seconds, progress.steps, progress.tokens]
    tensors["progress"] = torch.tensor(figures, dtype=torch.float64)
    save_file(tensors, scratch / f"{STATE}.new")
    (scratch / f"{STATE}.new").replace(scratch / STATE)
