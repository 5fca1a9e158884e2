"""vLLM is started with what the model and the machine need."""

import json
from pathlib import Path

import pytest

from agent.engines.vllm.server import cache_gib, fast_dtype, serve_command, serve_environment


def model(folder: Path, **config: object) -> Path:
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def test_the_cache_holds_two_whole_conversations(tmp_path: Path) -> None:
    wide = model(tmp_path, num_hidden_layers=32, num_attention_heads=32, num_key_value_heads=8, head_dim=128)
    assert cache_gib(wide, 32768) == 2 * 4  # 128 KiB a token
    assert cache_gib(wide, 512) == 1


def test_the_cache_of_a_model_with_few_figures_is_that_of_all_its_heads(tmp_path: Path) -> None:
    plain = model(
        tmp_path, text_config={"num_hidden_layers": 24, "num_attention_heads": 16, "hidden_size": 2048}
    )
    assert cache_gib(plain, 8192) == 3  # 192 KiB a token


@pytest.mark.parametrize(
    ("stored", "gpu", "flags", "dtype"),
    [
        ("bfloat16", True, "", "bfloat16"),
        ("bfloat16", False, "avx2 avx512_bf16", "bfloat16"),
        ("bfloat16", False, "avx2", "float32"),
        ("float16", False, "avx2", "float32"),
        ("float32", False, "amx_bf16", "float32"),
    ],
)
def test_the_type_is_one_that_the_machine_computes_fast(
    tmp_path: Path, stored: str, gpu: bool, flags: str, dtype: str
) -> None:
    info = tmp_path / "cpuinfo"
    info.write_text(f"flags : {flags}\n")
    assert fast_dtype(stored, gpu=gpu, cpu_info=info) == dtype  # type: ignore[arg-type]


def test_the_command_follows_the_card() -> None:
    command = serve_command(
        "/m", 1, context=8192, modules=("q_proj", "v_proj"), tool_parser="mistral", gpu_share=0.6
    )
    text = " ".join(command)
    assert "--max-model-len 8192" in text
    assert "--lora-target-modules q_proj v_proj" in text
    assert "--enable-auto-tool-choice --tool-call-parser mistral" in text
    assert "--gpu-memory-utilization 0.6" in text
    plain = " ".join(serve_command("/m", 1, context=512))
    assert "--enable-auto-tool-choice --tool-call-parser hermes" in plain
    assert "--tool-strict-level parameter" in plain
    assert "--enforce-eager" in plain


def test_a_server_exports_its_spans_where_it_is_told_to() -> None:
    assert "--otlp-traces-endpoint" not in serve_command("/m", 1, context=8192)
    command = serve_command("/m", 1, context=8192, traces_url="http://collector:4318/v1/traces")
    assert command[command.index("--otlp-traces-endpoint") + 1] == "http://collector:4318/v1/traces"


def test_a_server_on_a_socket_listens_on_no_port_and_its_key_is_not_in_the_command() -> None:
    command = serve_command("/m", Path("/private/engine.sock"), context=512)
    assert command[command.index("--uds") + 1] == "/private/engine.sock"
    assert not {"--host", "--port", "--api-key"} & set(command)


def test_the_server_reports_to_nobody_and_fetches_nothing(tmp_path: Path) -> None:
    folder = model(tmp_path, num_hidden_layers=1, num_attention_heads=1, hidden_size=8)
    environment = serve_environment(str(folder), context=512, cores=4)
    assert environment["HF_HUB_OFFLINE"] == environment["VLLM_NO_USAGE_STATS"] == "1"
    assert environment["OMP_NUM_THREADS"] == "3"
