"""Command line and environment of a vLLM server, on a CPU or a GPU."""

import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from agent.engines.adapter_files import MAX_RANK
from agent.engines.bfloat16 import CPU_INFO, native_bfloat16
from agent.engines.entropy import TOP_LOGPROBS

GIB = 1 << 30
WHOLE_CONTEXTS = 2
"""On a CPU the key-value cache holds at least this many conversations of full length."""
FORCED_CALLS = "hermes"
"""Tool parser for models whose template takes no tools: a call can be forced, never chosen by the model."""


def serve_command(
    model: str,
    listen: int | Path,
    *,
    context: int,
    name: str = "nightschool",
    python: str = sys.executable,
    dtype: str = "auto",
    modules: Sequence[str] = (),
    tool_parser: str | None = None,
    gpu_share: float | None = None,
    traces_url: str | None = None,
) -> list[str]:
    """The command that serves `model` (a folder) as `name` with `context` tokens.

    It listens on a port of 127.0.0.1, or on a Unix socket. Any local user can use a port: an API key would
    protect `/v1` and a few more paths, while `/invocations` chats without it. The product uses sockets.
    `modules` are the layers that adapters may change: vLLM supports no adapters on the output layer of a
    large vocabulary (258,048). `tool_parser` parses the tool calls, None if the chat template takes no tools.
    `gpu_share` is the share of GPU memory to use, None for a CPU. `traces_url` is where its spans go.
    The module is started instead of the `vllm` command, which the CPU build lacks.
    """
    common = [
        *_launcher(python, listen),
        python, "-P", "-m", "vllm.entrypoints.openai.api_server",
        "--model", model, "--served-model-name", name, "--dtype", dtype,
        *_listening(listen),
        "--enable-lora", "--max-lora-rank", str(MAX_RANK), "--max-loras", "4", "--max-cpu-loras", "16",
        "--max-logprobs", str(TOP_LOGPROBS), "--max-model-len", str(context),
        "--max-num-seqs", "64", "--disable-uvicorn-access-log",
    ]  # fmt: skip
    if modules:
        common += ["--lora-target-modules", *modules]
    # Without a parser vLLM cannot force a call either, not even one constrained to its schema.
    common += ["--enable-auto-tool-choice", "--tool-call-parser", tool_parser or FORCED_CALLS]
    common += ["--tool-strict-level", "parameter"]
    if traces_url is not None:
        common += ["--otlp-traces-endpoint", traces_url]
    if gpu_share is not None:
        return [*common, "--gpu-memory-utilization", str(gpu_share)]
    # Eager: vLLM compiles nothing on a CPU with LoRA. `uni`: one process less to start.
    return [*common, "--enforce-eager", "--distributed-executor-backend", "uni"]


def _launcher(python: str, listen: int | Path) -> tuple[str, ...]:
    return (python, "-P", "-m", "agent.engines.vllm.launch", str(listen)) if isinstance(listen, Path) else ()


def _listening(listen: int | Path) -> tuple[str, ...]:
    if isinstance(listen, Path):
        return ("--uds", str(listen))
    return ("--host", "127.0.0.1", "--port", str(listen))


def serve_environment(model: str, *, context: int, cores: int, gpu: bool = False) -> dict[str, str]:
    """Environment variables to add for the server; `cores` is the number of CPU cores it may use.

    One core is left to the server's front end: with more threads than cores, waiting costs more than it adds.
    """
    environment = {
        "VLLM_ALLOW_RUNTIME_LORA_UPDATING": "1", "VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1",
        "HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1",
    }  # fmt: skip
    if not gpu:
        environment |= {
            "VLLM_CPU_KVCACHE_SPACE": str(cache_gib(Path(model), context)),
            "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
            "OMP_NUM_THREADS": str(max(1, cores - 1)),
        }
    return environment


def cache_gib(model: Path, context: int) -> int:
    """GiB of bf16 key-value cache for WHOLE_CONTEXTS conversations of `context` tokens."""
    config = json.loads((model / "config.json").read_text(encoding="utf-8"))
    config = config.get("text_config") or config
    heads = config["num_attention_heads"]
    width = (config.get("num_key_value_heads") or heads) * (
        config.get("head_dim") or config["hidden_size"] // heads
    )
    per_token: int = 2 * 2 * config["num_hidden_layers"] * width  # keys and values, two bytes each
    return max(1, math.ceil(per_token * context * WHOLE_CONTEXTS / GIB))


def fast_dtype(
    stored: Literal["bfloat16", "float16", "float32"], *, gpu: bool, cpu_info: Path = CPU_INFO
) -> str:
    """The dtype that is fast on this machine: `stored`, or float32 on a CPU without native bfloat16."""
    if gpu or stored == "float32":
        return stored
    return "bfloat16" if native_bfloat16(cpu_info=cpu_info) else "float32"
