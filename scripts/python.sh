#!/bin/sh
# Print a Python with the given requirements installed: `scripts/python.sh requirements.txt`.
# Environments stay in a cache outside the clone, keyed by Python version and the requirements' hash. A new one is
# built aside and renamed when complete, so that an interrupted set-up leaves nothing half done.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
file="$root/$1"

base=""
for candidate in python3.11 python3; do
    if command -v "$candidate" >/dev/null 2>&1 &&
        [ "$("$candidate" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)" = 3.11 ]; then
        base=$candidate
        break
    fi
done
if [ -z "$base" ]; then
    echo "set-up: Python 3.11 is needed (python3.11 or python3 on the PATH)" >&2
    exit 1
fi
if ! "$base" -c 'import ensurepip, venv' 2>/dev/null; then
    "$root/scripts/apt.sh" python3.11-venv
    if ! "$base" -c 'import ensurepip, venv' 2>/dev/null; then
        echo "set-up: $base lacks the modules venv and ensurepip" >&2
        exit 1
    fi
fi

version=$("$base" -c 'import platform; print(platform.python_version())')
# Requirements that include others (-r) count with all they include.
with_included() {
    cat "$1"
    sed -n 's/^-r //p' "$1" | while read -r included; do with_included "$(dirname "$1")/$included"; done
}
hash=$(with_included "$file" | sha256sum | cut -c1-12)
name=$(echo "${1%.txt}" | tr / -)
venvs="${INKLING_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/inkling}/venvs"
venv="$venvs/$version-$name-$hash"
if [ ! -d "$venv" ]; then
    mkdir -p "$venvs"
    # One set-up at a time: a second one waits here, and mostly has nothing left to do.
    exec 8<"$venvs"
    flock 8 || true
fi
if [ ! -d "$venv" ]; then
    echo "set-up: installing $1 into $venv (once)" >&2
    part=$(mktemp -d "$venvs/part.XXXXXX")
    trap 'rm -rf "$part"' EXIT
    trap 'exit 1' HUP INT TERM
    "$base" -m venv "$part" >&2
    # --no-compile saves a third of the time; Python compiles what it imports.
    if ! "$part/bin/python" -m pip install -qq --disable-pip-version-check --no-compile -r "$file" >&2; then
        echo "set-up: pip could not install $1 (see above)" >&2
        exit 1
    fi
    # Another set-up may have been quicker: then its result serves.
    mv -T "$part" "$venv" 2>/dev/null || [ -d "$venv" ]
fi
echo "$venv/bin/python"
