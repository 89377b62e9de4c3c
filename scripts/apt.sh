#!/bin/sh
# Install the Debian packages that are missing among those named: `scripts/apt.sh gcc qemu-system-arm`.
set -eu
missing_of() {
    for package in "$@"; do
        state=$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null || true)
        [ "$state" = "install ok installed" ] || printf ' %s' "$package"
    done
}
if ! command -v apt-get >/dev/null 2>&1; then
    echo "set-up: apt-get not found; install the equivalents of these Debian packages: $*" >&2
    exit 0
fi
[ -n "$(missing_of "$@")" ] || exit 0
# One set-up at a time: a second one waits here, and then has nothing left to do.
exec 9<"$0"
flock 9 || true
missing=$(missing_of "$@")
[ -n "$missing" ] || exit 0
as_root="env"
if [ "$(id -u)" != 0 ]; then
    if ! command -v sudo >/dev/null 2>&1; then
        echo "set-up: please install as root:$missing" >&2
        exit 1
    fi
    as_root="sudo env"
fi
echo "set-up: apt-get install$missing (once)" >&2
log=$(mktemp)
trap 'rm -f "$log"' EXIT
trap 'exit 1' HUP INT TERM
# sudo passes no environment on; a question would wait for an answer in the log. A fresh machine may be updating
# itself: its lock is waited for. One broken package source fails the update, but perhaps not the installation.
install_missing() {
    $as_root DEBIAN_FRONTEND=noninteractive apt-get update
    # shellcheck disable=SC2086 # a list of words
    $as_root DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=600 install -y --no-install-recommends $missing
}
if ! install_missing >"$log" 2>&1 9<&-; then
    tail -n 12 "$log" >&2
    echo "set-up: apt-get could not install:$missing" >&2
    exit 1
fi
