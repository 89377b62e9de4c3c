#!/bin/sh
# Check the C and C++ sources: their format (.clang-format), then cppcheck once per kind of build.
# Usage: scripts/lint_c.sh CLANG_FORMAT, with the path or the name of the executable.
set -eu
if [ $# -ne 1 ]; then
    echo "usage: scripts/lint_c.sh CLANG_FORMAT" >&2
    exit 2
fi
clang_format=$1
case $clang_format in
/*) ;;
*/*) clang_format=$PWD/$clang_format ;;
esac
cd "$(dirname "$0")/.."

echo "lint: clang-format --dry-run -Werror"
git ls-files -z '*.c' '*.h' '*.cpp' | xargs -0 "$clang_format" --dry-run -Werror

src=firmware/src
lib=firmware/lib
ports=firmware/ports
arduino=firmware/ports/arduino
tests=tests/firmware/c
mocks=tests/firmware/arduino

# check NAME ARGUMENT...: types have the sizes of 32-bit boards; the fuzzer's stub replaces the generated model.
check() {
    echo "lint: cppcheck, $1"
    shift
    cppcheck --quiet --error-exitcode=1 --enable=warning,style,performance,portability --inline-suppr \
        --platform=unix32 --library=posix --suppress=missingIncludeSystem -DINKLING_TARGET='"lint"' \
        -I$src -I$lib/board -I$lib/camera -I$lib/counter -I$lib/encoder -I$lib/radio -I$lib/wire/src -Itests/fuzz/c/stub "$@"
}

c=--std=c11
check "wired board" $c $src $lib -i$lib/encoder/tflm.cpp $ports/posix $tests/fit_app.c $tests/stuck_machine.c \
    $tests/wire_fuzz.c $tests/secure tests/firmware/counter tests/firmware/resets
check "radio node" $c -DINKLING_RADIO=1 $src $ports/posix $tests/node_machine.c
check "radio gateway" $c -DINKLING_RADIO=1 -DINKLING_GATEWAY=1 $src
check "unattended camera" $c -DINKLING_CAMERA=1 -DINKLING_PERIOD_S=60 -DINKLING_MOTION=4 -DINKLING_DEEP_SLEEP=1 \
    $src $ports/posix $tests/watch_machine.c
check "fuzz target" $c -DINKLING_CAMERA=1 tests/fuzz/c

# ram.c compares the linker script's symbols, which are the bounds of one area.
bounds=--suppress=comparePointers:$ports/bare/ram.c
apps="$tests/fault_app.c $tests/fit_cost_app.c $tests/timer_app.c"
# shellcheck disable=SC2086 # a list of files
{
    check "STM32F405" $c $bounds -I$ports/stm32f405 $ports/bare $ports/stm32f405 $apps $tests/ring_app.c
    check "RISC-V" $c $bounds -D__riscv $ports/bare $ports/rv32 $ports/qemu_virt $ports/esp32c3 $apps
}

cpp=--std=c++17
check "TFLite Micro engine" $cpp -I$mocks/tflm $lib/encoder/tflm.cpp
# The mocks keep the signatures of the real libraries.
signatures=--suppress=noExplicitConstructor:$mocks/lora/RadioLib.h
check "ESP32 boards" $cpp $signatures -DESP_PLATFORM -DINKLING_CAMERA=1 -DINKLING_RADIO=1 -DINKLING_BATTERY_PIN=35 \
    -DINKLING_LORA_SCK=1 -DINKLING_LORA_MISO=2 -DINKLING_LORA_MOSI=3 -DINKLING_LORA_CS=4 -DINKLING_LORA_RESET=5 \
    -DINKLING_LORA_DIO0=6 -DINKLING_LORA_DIO1=7 -DINKLING_LORA_BUSY=8 -DINKLING_LORA_TCXO_MILLIVOLTS=1800 \
    -I$mocks/esp32 -I$mocks/lora -I$mocks/machine $mocks/machine -i$mocks/machine/stm32.cpp \
    -i$mocks/machine/stm32_flash.cpp \
    $arduino/common $arduino/esp32 $arduino/camera $arduino/lora/common $arduino/lora/sx1262 $arduino/lora/sx1276
check "STM32 boards" $cpp $signatures -DSTM32WLxx -DINKLING_RADIO=1 -DINKLING_LORA_TCXO_MILLIVOLTS=1700 \
    -I$mocks/stm32 -I$mocks/lora -I$mocks/machine $mocks/machine/stm32.cpp $mocks/machine/stm32_flash.cpp \
    $arduino/common $arduino/stm32 $arduino/lora/stm32wl
