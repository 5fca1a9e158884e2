"""Owns how a vLLM server is started: its command line and its environment, on a CPU or a GPU.

Starts nothing; what is asked of it then is in `vllm`.
"""

import sys
from pathlib import Path

from agent.adapter_files import MAX_RANK
from agent.entropy import TOP


def serve_command(
    model: str, port: int, *, name: str = "nightschool", python: str = sys.executable, context: int = 1024,
    gpu: bool = False,
) -> list[str]:  # fmt: skip
    """The command that serves `model` (a folder or Hugging Face name) as `name` on 127.0.0.1:`port`.

    It is the module and not the `vllm` command, which the CPU build does not have. It listens on loopback
    only: an API key would protect `/v1` alone, and whoever can load adapters can make the server read files.
    """
    common = [
        python, "-P", "-m", "vllm.entrypoints.openai.api_server",
        "--model", model, "--served-model-name", name,
        "--host", "127.0.0.1", "--port", str(port),
        "--enable-lora", "--max-lora-rank", str(MAX_RANK), "--max-loras", "4", "--max-cpu-loras", "16",
        "--max-logprobs", str(TOP), "--max-model-len", str(context),
        "--max-num-seqs", "64", "--disable-uvicorn-access-log",
    ]  # fmt: skip
    if gpu:
        return [*common, "--gpu-memory-utilization", "0.5"]
    # Eager, because vLLM compiles nothing on a CPU once LoRA is on; one process less to start.
    return [*common, "--enforce-eager", "--distributed-executor-backend", "uni"]


def serve_environment(model: str, *, cores: int, gpu: bool = False) -> dict[str, str]:
    """What the server's environment needs on top of the caller's; `cores` is how many the machine lends it.

    One of them is left to the server's front end: threads that wait for each other cost more than they add.
    """
    environment = {"VLLM_ALLOW_RUNTIME_LORA_UPDATING": "1", "VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}
    if Path(model).is_dir():
        environment |= {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    if not gpu:
        environment |= {
            "VLLM_CPU_KVCACHE_SPACE": "1",  # GiB
            "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
            "OMP_NUM_THREADS": str(max(1, cores - 1)),
        }
    return environment
