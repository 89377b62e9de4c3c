#!/bin/sh
# Check the C and C++ sources: format (.clang-format), then cppcheck once per kind of build.
# Usage: scripts/lint_c.sh CLANG_FORMAT, for instance scripts/lint_c.sh .venv/bin/clang-format
set -eu
if [ $# -ne 1 ]; then
    echo "usage: scripts/lint_c.sh CLANG_FORMAT" >&2
    exit 2
fi
clang_format=$1
case $clang_format in
*/*) clang_format=$(cd "$(dirname "$clang_format")" && pwd)/$(basename "$clang_format") ;;
esac
cd "$(dirname "$0")/.."

echo "lint: clang-format --dry-run -Werror"
git ls-files -z '*.c' '*.h' '*.cpp' | xargs -0 "$clang_format" --dry-run -Werror

# 32-bit types, as on the boards. The model is the fuzzer's small one: the real one is generated.
headers="-Ifirmware/src -Ifirmware/lib/board -Ifirmware/lib/camera -Ifirmware/lib/encoder -Ifirmware/lib/radio \
-Ifirmware/lib/wire/src -Itests/fuzz/c/stub"
check() {
    name=$1
    shift
    echo "lint: cppcheck, $name"
    # shellcheck disable=SC2086 # a list of options
    cppcheck --quiet --error-exitcode=1 --enable=warning,style,performance,portability --inline-suppr \
        --platform=unix32 --library=posix --library=gnu --suppress=missingIncludeSystem $headers "$@"
}
c() {
    check "$@" --std=c11 -DINKLING_TARGET='"lint"'
}
application="firmware/src firmware/lib/board firmware/lib/camera firmware/lib/radio firmware/lib/wire"
# shellcheck disable=SC2086 # lists of folders
{
    c "wired board" $application
    c "radio node" -DINKLING_RADIO=1 $application firmware/ports/posix
    c "radio gateway" -DINKLING_RADIO=1 -DINKLING_GATEWAY=1 $application
    c "camera" -DINKLING_CAMERA=1 -DINKLING_PERIOD_S=60 -DINKLING_MOTION=4 -DINKLING_DEEP_SLEEP=1 $application firmware/ports/posix
}
