#!/bin/sh
# What `make gpu-check` needs on a GPU machine that has torch and no network, in pieces: .gpu/1, .gpu/2 and so on,
# each of which can be sent together with the checked-out files.
# Usage: gpu_pack.sh pack            makes .gpu anew, from the package registry
#        gpu_pack.sh check FOLDER    whether the pieces in FOLDER, or in its folders 1, 2, ..., are whole
#        gpu_pack.sh unpack FOLDER   checks them, and unpacks them into FOLDER/site
set -eu
cd "$(dirname "$0")/.."

PYTHON_THERE=3.12
PLATFORM_THERE=x86_64-manylinux_2_28
LIMIT=60000000  # bytes of one transfer; what is lent here takes 64 MiB, the checked-out files among them

say() { printf '%s\n' "$*"; }
stop() { printf 'gpu-pack: %s\n' "$*" >&2; exit 1; }

# Names with the versions of the lock: pinned < names
pinned() {
    grep -v -e '^#' -e '^$' | while read -r name; do
        case $name in
            *==*) echo "$name" ;;
            *) sed -n "s/^\($name==[^ ]*\).*/\1/p" requirements/gpu.txt | grep . || stop "requirements/gpu.txt has no $name" ;;
        esac
    done
}

bytes() { find "$1" -type f -exec stat -c %s {} + | awk '{ s += $1 } END { print s + 0 }'; }

pack() {
    sent=$(git ls-files -co --exclude-standard -z | xargs -0 stat -c %s 2>/dev/null | awk '{ s += $1 } END { print s }')
    [ -n "$sent" ] || stop "git lists no files: run this in a checkout"
    room=$((LIMIT - sent - 10000))  # and the digests
    [ "$room" -gt 5000000 ] || stop "the checked-out files are $sent bytes, which leaves no room for a piece"
    rm -rf .gpu
    mkdir -p .gpu/site
    pinned < requirements/gpu-pack.txt > .gpu/packages.txt
    .venv/bin/uv pip install --quiet --target .gpu/site --no-deps --only-binary :all: \
        --python-version "$PYTHON_THERE" --python-platform "$PLATFORM_THERE" -r .gpu/packages.txt
    # Kernels of other libraries' quantisation, and applications that come along with a package.
    rm -rf .gpu/site/torchao/*.so .gpu/site/zstandard/_cffi.*.so .gpu/site/studio .gpu/site/unsloth_cli \
        .gpu/site/test .gpu/site/bin
    find .gpu/site -name __pycache__ -type d -prune -exec rm -rf {} +
    (cd .gpu/site && find . -name '*.gguf' > ../weights.txt)
    tar -C .gpu/site --exclude '*.gguf' -c . | xz -T2 -6 > .gpu/packages.tar.xz
    tar -C .gpu/site -cf .gpu/base.tar -T .gpu/weights.txt
    (cd .gpu && for whole in packages.tar.xz base.tar; do split -b "$room" -d "$whole" "$whole."; rm "$whole"; done)
    rm -rf .gpu/site .gpu/weights.txt .gpu/packages.txt
    (cd .gpu && sha256sum packages.tar.xz.* > packages.sha256 && sha256sum base.tar.* > base.sha256)
    for piece in .gpu/packages.tar.xz.* .gpu/base.tar.*; do
        number=1
        while [ -d ".gpu/$number" ] && [ $(($(bytes ".gpu/$number") + $(bytes "$piece"))) -gt "$room" ]; do
            number=$((number + 1))
        done
        mkdir -p ".gpu/$number"
        mv "$piece" ".gpu/$number/"
    done
    for folder in .gpu/[0-9]*; do
        cp .gpu/*.sha256 "$folder/"
        say "$folder: $(bytes "$folder") bytes, $((sent + $(bytes "$folder"))) with the checked-out files"
    done
    rm .gpu/*.sha256
}

# All pieces of FOLDER in one place, without copying them.
gather() {
    together=$(mktemp -d)
    trap 'rm -rf "$together"' EXIT
    for piece in "$1"/*.sha256 "$1"/*.tar* "$1"/[0-9]*/*.sha256 "$1"/[0-9]*/*.tar*; do
        [ ! -f "$piece" ] || ln -sf "$(realpath "$piece")" "$together/"
    done
    [ -f "$together/packages.sha256" ] || stop "$1 holds no pieces: make gpu-pack makes them"
}

whole() { (cd "$together" && sha256sum --status -c "$1.sha256" 2>/dev/null); }

check() {
    gather "$1"
    for part in packages base; do whole "$part" || stop "$1: pieces of $part.tar are missing or damaged"; done
}

unpack() {
    gather "$1"
    mkdir -p "$1/site"
    whole packages || stop "$1: pieces of packages.tar are missing or damaged"
    cat "$together"/packages.tar.xz.* > "$together/packages.tar.xz"
    python3 -c 'import sys, tarfile; tarfile.open(sys.argv[1]).extractall(sys.argv[2], filter="data")' \
        "$together/packages.tar.xz" "$1/site"
    if whole base; then
        cat "$together"/base.tar.* | tar -C "$1/site" -x
    else
        say "pieces of the base model are missing: only the tiny model is checked"
    fi
}

case ${1:-} in
    pack) pack ;;
    check | unpack) "$1" "${2:?which folder?}" ;;
    *) stop "pack, check FOLDER or unpack FOLDER" ;;
esac
