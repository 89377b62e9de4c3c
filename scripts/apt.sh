#!/bin/sh
# Install the Debian packages that are missing among those named: `scripts/apt.sh gcc qemu-system-arm`.
set -eu
missing=""
for package in "$@"; do
    state=$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null || true)
    [ "$state" = "install ok installed" ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
if ! command -v apt-get >/dev/null 2>&1; then
    echo "set-up: please install by hand:$missing (no apt-get here)" >&2
    exit 1
fi
as_root=""
if [ "$(id -u)" != 0 ]; then
    if ! command -v sudo >/dev/null 2>&1; then
        echo "set-up: please install as root:$missing" >&2
        exit 1
    fi
    as_root=sudo
fi
echo "set-up: apt-get install$missing (once)" >&2
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# shellcheck disable=SC2086 # a list of words
if ! { $as_root apt-get update && $as_root apt-get install -y --no-install-recommends $missing; } >"$log" 2>&1; then
    tail -n 5 "$log" >&2
    echo "set-up: apt-get could not install:$missing" >&2
    exit 1
fi
