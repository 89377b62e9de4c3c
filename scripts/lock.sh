#!/bin/sh
# Renew the hashed requirements from pyproject.toml and the pins of requirements/dev.txt: `scripts/lock.sh PYTHON`.
set -eu
cd "$(dirname "$0")/.."
# Pins without extras, which a constraints file may not have.
constraints=$(mktemp)
trap 'rm -f "$constraints"' EXIT
sed -n 's/^\([A-Za-z0-9._-]*\)\(\[[a-z,]*\]\)\{0,1\}==\([^ ]*\).*/\1==\3/p' requirements/dev.txt >"$constraints"
compile() {
    name=$1
    shift
    "$python" -m uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-annotate \
        --custom-compile-command "make lock" -c "$constraints" "$@" -o "requirements/$name.txt" pyproject.toml
    echo "requirements/$name.txt: $(grep -c == "requirements/$name.txt") packages"
}
python=$1
compile host
compile firmware --extra firmware
compile demo --extra demo
compile serve --extra firmware --extra serve
