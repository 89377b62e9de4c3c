#!/bin/sh
# Print a Python that has the given requirements: `scripts/python.sh requirements/dev.txt`.
# Environments are kept in a cache outside the clone, by Python version and hash of the requirements, and are built in
# place, so that their scripts work. A marker file tells a complete environment from an interrupted set-up.
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
    echo "set-up: Python 3.11 is required (python3.11 or python3 on the PATH)" >&2
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
hash=$(sha256sum <"$file" | cut -c1-12)
venvs="${INKLING_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/inkling}/venvs"
venv="$venvs/$version-$(basename "$file" .txt)-$hash"
complete="$venv/complete"
if [ ! -f "$complete" ]; then
    mkdir -p "$venvs"
    # One set-up at a time: a second one waits here, and then mostly finds the environment complete.
    exec 8<"$venvs"
    flock 8 || true
fi
if [ ! -f "$complete" ]; then
    echo "set-up: installing $1 into $venv (once)" >&2
    rm -rf "$venv"
    "$base" -m venv "$venv" >&2
    require=""
    if grep -q -- '--hash=' "$file"; then require="--require-hashes"; fi
    # --no-compile saves a third of the time; Python compiles what it imports.
    if ! "$venv/bin/python" -m pip install -qq --disable-pip-version-check --no-compile $require -r "$file" >&2; then
        echo "set-up: pip could not install $1 (see above)" >&2
        exit 1
    fi
    touch "$complete"
fi
echo "$venv/bin/python"
