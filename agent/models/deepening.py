"""Depth growth: a model with more layers that answers as before, to be taught more than it could hold.

Copies of layers whose outputs are zero are put between the others, as in LLaMA Pro (Wu et al. 2024, arXiv
2401.02415): the residual stream passes them unchanged, until training gives them something to add. Nothing is
known about the architecture beyond that it is a stack of layers with residuals; whether that holds is checked
by comparing log-probabilities.
"""

import copy
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agent.errors import ModelRefused
from agent.models.card import CARD_FILES
from agent.models.store import ORIGIN, ModelOrigin, ModelStore, digest_of_model
from memory.language.counting import counted

MAX_DIFFERENCE = 1e-3
"""Nats; more than rounding in bfloat16 makes of layers that add zeros."""
PROBES = (
    "The museum by the river opens at nine and closes when the last boat has left.",
    "def area(width, height):\n    return width * height",
    "Le pont a \u00e9t\u00e9 construit en 1874, puis \u00e9largi deux fois.",
)
"""Texts on which both models are compared, at every position."""


def deepen(store: ModelStore, name: str, added: int, new_name: str) -> ModelOrigin:
    """Adds a model that is `name` with so many more layers. It has no card: `models study` makes one.

    Raises UnknownModel, and ModelRefused if the model cannot be deepened without changing its answers.
    """
    origin, source = store.origin(name), store.path(name)

    def fill(folder: Path) -> ModelOrigin:
        _copy_files(source, folder)
        write_deeper(source, folder, added)
        return origin.model_copy(
            update={
                "name": new_name,
                "title": f"{origin.title}, {counted(added, 'layer')} deeper",
                "source": f"{name}, {counted(added, 'layer')} deeper",
                "digest": digest_of_model(folder),
            }
        )

    return store.place(new_name, fill)


def write_deeper(source: Path, folder: Path, added: int) -> float:
    """Writes weights and configuration of the deeper model; returns how far log-probabilities differ.

    The figure is in nats. Raises ModelRefused.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model: Any = AutoModelForCausalLM.from_pretrained(source, dtype="auto")
    tokenizer: Any = AutoTokenizer.from_pretrained(source)
    depth = int(model.config.get_text_config().num_hidden_layers)
    if not 1 <= added <= depth:
        raise ModelRefused(f"a model of {depth} layers can be deepened by 1 to {depth}, not by {added}")
    stack, prefix = _layers(model, depth)
    origins = _origins(depth, added)
    grown: Any = AutoModelForCausalLM.from_config(  # type: ignore[no-untyped-call]
        _deeper(model.config, origins), dtype=model.dtype
    )
    weights = {
        name: tensor for name, tensor in model.state_dict().items() if not name.startswith(f"{prefix}.")
    }
    for place, (layer, is_new) in enumerate(origins):
        zeroed = _output_names(stack[layer]) if is_new else frozenset()
        for name, tensor in stack[layer].state_dict().items():
            silent = name.rpartition(".")[0] in zeroed
            weights[f"{prefix}.{place}.{name}"] = torch.zeros_like(tensor) if silent else tensor
    grown.load_state_dict(weights)
    grown.tie_weights()
    if model.generation_config is not None:
        grown.generation_config = model.generation_config
    grown.save_pretrained(folder)
    deeper: Any = AutoModelForCausalLM.from_pretrained(folder, dtype="auto")
    difference = _difference(model, deeper, [tokenizer(text, return_tensors="pt") for text in PROBES])
    if not difference <= MAX_DIFFERENCE:
        raise ModelRefused(
            f"{counted(added, 'layer')} deeper, the model's log-probabilities differ by up to"
            f" {difference:.3g} nats: its layers do not simply add to what comes in, so it cannot be deepened"
            " this way"
        )
    return difference


def _origins(depth: int, added: int) -> list[tuple[int, bool]]:
    """For each layer of the deeper model the layer that it is made from, and whether it is a new copy; the
    copies are spread evenly, each behind its original."""
    copied = {round((number + 1) * depth / added) - 1 for number in range(added)}
    both = (False, True)
    return [(layer, is_new) for layer in range(depth) for is_new in both if not is_new or layer in copied]


def _layers(model: Any, depth: int) -> tuple[Any, str]:
    """The stack of layers, and its name. Raises ModelRefused."""
    from torch.nn import ModuleList

    found = [
        (module, name)
        for name, module in model.named_modules()
        if isinstance(module, ModuleList) and len(module) == depth
    ]
    if len(found) != 1:
        raise ModelRefused(
            f"the model has {len(found)} stacks of {depth} layers, and not one: it stays as it is"
        )
    return found[0]


def _deeper(config: Any, origins: Sequence[tuple[int, bool]]) -> Any:
    """The configuration with more layers; what it lists for each layer is repeated with them."""
    grown = copy.deepcopy(config)
    text = grown.get_text_config()
    depth = text.num_hidden_layers
    for key, value in list(vars(text).items()):
        if isinstance(value, list | tuple) and len(value) == depth:
            setattr(text, key, [value[layer] for layer, _ in origins])
    text.num_hidden_layers = len(origins)
    return grown


def _output_names(layer: Any) -> frozenset[str]:
    """Names of the linear modules that write a layer's outputs: the last one of each of its parts."""
    from torch.nn import Linear

    last: dict[str, str] = {}
    for name, module in layer.named_modules():
        if isinstance(module, Linear) or type(module).__name__ == "Conv1D":  # GPT-2's linear module
            last[name.partition(".")[0]] = name
    return frozenset(last.values())


def _difference(first: Any, second: Any, inputs: Sequence[Any]) -> float:
    """The largest difference of any log-probability, in nats."""
    import torch

    largest = 0.0
    with torch.inference_mode():
        for each in inputs:
            ids = each["input_ids"]
            one, two = (torch.log_softmax(model(ids).logits.float(), -1) for model in (first, second))
            largest = max(largest, float((one - two).abs().max()))
    return largest


def _copy_files(source: Path, folder: Path) -> None:
    """Copies all but the weights, what is written anew, and the card of other weights."""
    for path in source.iterdir():
        own = path.name in {*CARD_FILES, ORIGIN, "config.json"} or ".safetensors" in path.name
        if path.is_file() and not own:
            shutil.copyfile(path, folder / path.name)
