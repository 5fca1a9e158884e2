"""Our LoRA arithmetic for vLLM on a CPU, against the same sums in double precision, a row at a time."""

import importlib
import random
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch

pytestmark = [pytest.mark.services, pytest.mark.timeout(300)]  # importing vLLM takes half a minute

SLOTS, MAX_RANK, INPUTS = 4, 16, 48
SLICES = {"o": (32,), "gate and up": (64, 64), "qkv": (32, 16, 16)}
IDS = [11, 12, 13, 14]
"""The adapters in the slots; 0 is the base model."""
TOLERANCE = {torch.float32: 1e-4, torch.bfloat16: 0.03}


@dataclass
class Layer:
    """A linear layer's adapters, stacked and written as vLLM's own layers do it."""

    slices: tuple[int, ...]
    dtype: torch.dtype = torch.float32
    scale: float = 1.0
    a: tuple[torch.Tensor, ...] = field(init=False)
    b: tuple[torch.Tensor, ...] = field(init=False)

    def __post_init__(self) -> None:
        self.a = tuple(torch.zeros(SLOTS, 1, MAX_RANK, INPUTS, dtype=self.dtype) for _ in self.slices)
        self.b = tuple(torch.zeros(SLOTS, 1, size, MAX_RANK, dtype=self.dtype) for size in self.slices)

    def reset(self, slot: int) -> None:
        for stack in self.a + self.b:
            stack[slot] = 0

    def load(self, slot: int, ranks: tuple[int, ...]) -> None:
        """Random weights of these ranks, a slice each; a slice of rank 0 is not adapted."""
        self.reset(slot)
        for a, b, rank in zip(self.a, self.b, ranks, strict=True):
            a[slot, 0, :rank].copy_(torch.randn(rank, INPUTS) / INPUTS**0.5)
            b[slot, 0, :, :rank].copy_(torch.randn(b.shape[2], rank))

    def expected(self, y: torch.Tensor, x: torch.Tensor, adapters: list[int]) -> torch.Tensor:
        rows = []
        for row, given, adapter in zip(y.double(), x.double(), adapters, strict=True):
            if adapter == 0:
                rows.append(row)
                continue
            slot = IDS.index(adapter)
            parts = [
                b[slot, 0].double() @ (a[slot, 0].double() @ given)
                for a, b in zip(self.a, self.b, strict=True)
            ]
            rows.append(row + self.scale * torch.cat(parts))
        return torch.stack(rows)


@pytest.fixture(scope="module")
def wrapper() -> Any:
    """Shared, as in a server all layers share it."""
    module = importlib.import_module("agent.engines.vllm.cpu_plugin")
    return module.PunicaWrapperByAdapter(256, max_batches=64, device="cpu")


def batch(wrapper: Any, adapters: list[int], *, sampled: list[int] | None = None) -> None:
    """Announces a batch to the wrapper: the adapter of each row, and of each row that is sampled from."""
    mapping = importlib.import_module("vllm.lora.layers").LoRAMapping
    prompts = tuple(adapters if sampled is None else sampled)
    wrapper.update_metadata(mapping(tuple(adapters), prompts, is_prefill=True), IDS, SLOTS, 100)


def adapt(wrapper: Any, layer: Layer, y: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    adapted = y.clone()
    wrapper.add_lora_linear(adapted, x, layer.a, layer.b, layer.scale, layer.slices)
    return adapted


def rows(count: int, layer: Layer) -> tuple[torch.Tensor, torch.Tensor]:
    y = torch.randn(count, sum(layer.slices), dtype=torch.float32).to(layer.dtype)
    return y, torch.randn(count, INPUTS, dtype=torch.float32).to(layer.dtype)


def assert_close(found: torch.Tensor, expected: torch.Tensor) -> None:
    tolerance = TOLERANCE[found.dtype]
    torch.testing.assert_close(found.double(), expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("slices", SLICES.values(), ids=SLICES)
@pytest.mark.parametrize("seed", range(8))
def test_each_row_gets_its_own_adapter_and_no_other(
    wrapper: Any, slices: tuple[int, ...], dtype: torch.dtype, seed: int
) -> None:
    torch.manual_seed(seed)
    draw = random.Random(seed)
    layer = Layer(slices, dtype, scale=draw.choice([1.0, 0.5]))
    for slot in range(SLOTS):
        layer.load(slot, tuple(draw.choice([0, 1, 3, 8, MAX_RANK]) for _ in slices))
    for count in (1, 2, 9, 40):
        adapters = draw.choices([0, *IDS[: draw.randint(1, SLOTS)]], k=count)
        batch(wrapper, adapters)
        y, x = rows(count, layer)
        adapted = adapt(wrapper, layer, y, x)
        assert_close(adapted, layer.expected(y, x, adapters))
        untouched = torch.tensor([adapter == 0 for adapter in adapters])
        assert torch.equal(adapted[untouched], y[untouched])


@pytest.mark.parametrize("slices", SLICES.values(), ids=SLICES)
def test_a_batch_of_one_adapter_is_adapted_as_a_whole(wrapper: Any, slices: tuple[int, ...]) -> None:
    layer = Layer(slices)
    for slot, rank in enumerate((8, 4, MAX_RANK, 1)):
        layer.load(slot, (rank,) * len(slices))
    for adapter in IDS:
        batch(wrapper, [adapter] * 5)
        y, x = rows(5, layer)
        assert_close(adapt(wrapper, layer, y, x), layer.expected(y, x, [adapter] * 5))


def test_a_batch_without_adapters_is_left_alone(wrapper: Any) -> None:
    layer = Layer(SLICES["qkv"])
    layer.load(SLOTS - 1, (8, 8, 8))
    batch(wrapper, [0, 0, 0])
    y, x = rows(3, layer)
    assert torch.equal(adapt(wrapper, layer, y, x), y)


@pytest.mark.parametrize("adapters", [[12, 12, 12], [12, 0, 13]], ids=["alone", "mixed"])
def test_a_slot_that_is_loaded_anew_takes_effect_in_the_same_batch(wrapper: Any, adapters: list[int]) -> None:
    """As where an adapter is replaced under its own number: vLLM announces no new batch."""
    layer = Layer(SLICES["qkv"])
    layer.load(1, (8, 8, 8))
    layer.load(2, (4, 4, 4))
    batch(wrapper, adapters)
    y, x = rows(3, layer)
    before = adapt(wrapper, layer, y, x)
    layer.load(1, (3, 16, 0))
    after = adapt(wrapper, layer, y, x)
    assert_close(after, layer.expected(y, x, adapters))
    assert not torch.allclose(after[0], before[0])
    layer.reset(1)
    assert torch.equal(adapt(wrapper, layer, y, x)[0], y[0])


def test_one_slot_written_leaves_the_others_as_they_were(wrapper: Any) -> None:
    layer = Layer(SLICES["gate and up"])
    layer.load(0, (8, 8))
    batch(wrapper, [11, 11])
    y, x = rows(2, layer)
    before = adapt(wrapper, layer, y, x)
    layer.load(3, (2, 2))
    assert torch.equal(adapt(wrapper, layer, y, x), before)


def test_layers_do_not_share_adapters(wrapper: Any) -> None:
    first, second = Layer((32,)), Layer((32,))
    first.load(0, (8,))
    second.load(0, (8,))
    batch(wrapper, [11, 11])
    y, x = rows(2, first)
    for layer in (first, second, first):
        assert_close(adapt(wrapper, layer, y, x), layer.expected(y, x, [11, 11]))


def test_the_output_layer_goes_by_the_sampled_rows_and_leaves_padding_alone(wrapper: Any) -> None:
    layer = Layer((40,))
    layer.load(0, (8,))
    layer.load(1, (8,))
    batch(wrapper, [11, 11, 11, 12, 0], sampled=[11, 12, 0])
    y, x = torch.randn(3, 64), torch.randn(3, INPUTS)
    adapted = y.clone()
    wrapper.add_lora_logits(adapted, x, layer.a[0], layer.b[0], 1.0)
    assert_close(adapted[:, :40], layer.expected(y[:, :40], x, [11, 12, 0]))
    assert torch.equal(adapted[:, 40:], y[:, 40:])


@pytest.mark.parametrize("adapters", [[13, 13], [13, 0]], ids=["alone", "mixed"])
def test_the_embedding_is_adapted(wrapper: Any, adapters: list[int]) -> None:
    b = torch.randn(SLOTS, 1, 24, MAX_RANK)
    batch(wrapper, adapters)
    y, x = torch.randn(2, 24), torch.randn(2, MAX_RANK)
    adapted = y.clone()
    wrapper.add_lora_embedding(adapted, x, b, add_input=True)
    used = torch.tensor([[float(adapter != 0)] for adapter in adapters])
    assert_close(adapted, (y + used * (x @ b[2, 0].T)).double())
