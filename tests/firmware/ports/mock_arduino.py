"""Arduino environments of platformio.ini, compiled for the host with their own flags against mocked frameworks.

The mocks are in tests/firmware/arduino.
"""

import json
import os
import pty
import re
import shlex
import subprocess
import sys
import tty
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import TypedDict, cast

from firmware.tools import core_dir
from firmware.tools.model import LIBRARY, generate
from tests.support.firmware import REPLY_SECONDS, RunningBoard, bundle_path

ROOT = core_dir.ROOT
MOCKS = ROOT / "tests" / "firmware" / "arduino"
FIRMWARE = ROOT / "firmware"
LIBRARIES = [folder for folder in sorted((FIRMWARE / "lib").iterdir()) if folder.is_dir()]
HEADERS = [FIRMWARE / "src", *LIBRARIES, FIRMWARE / "lib" / "wire" / "src"]
BOARDS = (
    "blackpill_f411ce",
    "esp32-c3-devkitm-1",
    "esp32-s3-devkitc-1",
    "esp32cam",
    "esp32dev",
    "heltec_wifi_lora_32_V3",
    "heltec_wifi_lora_32_V3_gateway",
    "nucleo_f446re",
    "nucleo_h743zi",
    "nucleo_l476rg",
    "nucleo_wl55jc",
    "nucleo_wl55jc_gateway",
    "ttgo-lora32",
    "ttgo-lora32_gateway",
)
# Macros of the cores' build scripts and of PlatformIO's board files; STM32duino turns the last one into USB.
CORE_MACROS = {
    "esp32": ["-DARDUINO_ARCH_ESP32", "-DESP32", "-DESP_PLATFORM"],
    "stm32": ["-DARDUINO_ARCH_STM32"],
}
BOARD_MACROS = {
    "esp32-c3-devkitm-1": ["-DCONFIG_FREERTOS_UNICORE=1"],
    "blackpill_f411ce": ["-DSTM32F4xx"],
    "nucleo_f446re": ["-DSTM32F4xx"],
    "nucleo_l476rg": ["-DSTM32L4xx"],
    "nucleo_h743zi": ["-DSTM32H7xx"],
    "nucleo_wl55jc": ["-DSTM32WLxx"],
}
USB_MACRO = "-DPIO_FRAMEWORK_ARDUINO_ENABLE_CDC"
SANITIZERS = ["-g", "-fno-pie", "-no-pie", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
# Debian's cross compiler has the 32-bit types of the real compilers, where uint32_t is a long.
CROSS = ("arm-none-eabi-gcc", "arm-none-eabi-g++")
HOST = ("gcc", "g++")


class Options(TypedDict, total=False):
    """Options of an environment."""

    framework: list[str]
    platform: str
    platform_packages: list[str]
    upload_protocol: str
    board: str
    monitor_speed: int
    custom_engine: str
    custom_kernels: str
    lib_deps: list[str]
    build_flags: list[str]
    build_src_flags: list[str]
    build_src_filter: list[str]


@cache
def environments() -> dict[str, Options]:
    """Return the options by environment, as PlatformIO reads platformio.ini; needs no network."""
    command = [sys.executable, "-m", "platformio", "project", "config", "-d", str(ROOT), "--json-output"]
    done = subprocess.run(command, env=core_dir.environment(), check=True, capture_output=True, text=True)
    sections = ((name, cast(Options, dict(options))) for name, options in json.loads(done.stdout))
    return {name.removeprefix("env:"): options for name, options in sections if name.startswith("env:")}


def boards() -> dict[str, Options]:
    """Return the environments with the Arduino framework."""
    return {name: options for name, options in environments().items() if options.get("framework") == ["arduino"]}


def core(name: str) -> str:
    """Return the name of an environment's core, esp32 or stm32."""
    return "esp32" if boards()[name]["platform"].startswith("espressif32@") else "stm32"


def macros(name: str) -> list[str]:
    """Return the -D flags of the environment and of the core's build."""
    options = boards()[name]
    words = shlex.split(" ".join(options["build_flags"]).replace("$PIOENV", name))
    own = [f"-D{value}" for flag, value in pairwise(words) if flag == "-D"]
    usb = ["-DUSBCON", "-DUSBD_USE_CDC"] if USB_MACRO in own else []
    return [*own, *usb, *CORE_MACROS[core(name)], *BOARD_MACROS.get(options["board"], [])]


def source_flags(name: str, *, cpp: bool) -> list[str]:
    """Return build_src_flags for C or C++."""
    words = shlex.split(" ".join(boards()[name]["build_src_flags"]))
    return [word for word in words if not word.startswith("-std=") or ("++" in word) == cpp]


def folders(name: str) -> list[Path]:
    """Return the source folders that build_src_filter selects."""
    patterns = re.findall(r"\+<([^>]*)>", " ".join(boards()[name]["build_src_filter"]))
    return [(FIRMWARE / "src" / pattern.removesuffix("*")).resolve() for pattern in patterns]


def sources(name: str) -> list[Path]:
    """Return the sources of the application and the port."""
    return sorted(file for folder in folders(name) for file in folder.iterdir() if file.suffix in (".c", ".cpp"))


def includes(name: str, model: Path) -> list[str]:
    headers = [*HEADERS, model]
    mocks = [MOCKS / core(name), MOCKS / "lora"]
    return [*(f"-I{folder}" for folder in headers), *(f"-isystem{folder}" for folder in mocks)]


def check(name: str, model: Path, compilers: tuple[str, str], extra: list[str] | None = None) -> str:
    """Compile all sources of an environment without output; return the compilers' messages."""
    messages = ""
    for cpp, suffix in enumerate((".c", ".cpp")):
        files = [str(file) for file in sources(name) if file.suffix == suffix]
        flags = [*source_flags(name, cpp=bool(cpp)), *macros(name), *(extra or []), *includes(name, model)]
        done = _run([compilers[cpp], "-fsyntax-only", *flags, *files])
        messages += done.stderr
    return messages


def check_tflm(model: Path, extra: list[str] | None = None) -> str:
    """Compile the engine tflm without output, with the pinned TFLM library's names; return the compiler's messages.

    `model` is the folder of a library generated for that engine.
    """
    flags = ["-std=gnu++17", "-Wall", "-Wextra", "-Wdouble-promotion", "-Werror", "-DTF_LITE_STATIC_MEMORY"]
    headers = [*(f"-I{folder}" for folder in (*HEADERS, model)), f"-isystem{MOCKS / 'tflm'}"]
    source = FIRMWARE / "lib" / "encoder" / "tflm.cpp"
    return _run([CROSS[1], "-fsyntax-only", *flags, *(extra or []), *headers, source]).stderr


def build(name: str, encoder: Path, folder: Path, extra: list[str] | None = None) -> Path:
    """Compile and link an environment with its mocks, under sanitizers; `encoder` is from build_encoder()."""
    folder.mkdir(parents=True, exist_ok=True)
    parts = [kind for kind in ("radio", "camera") if f"-DINKLING_{kind.upper()}=1" in macros(name)]
    files = [(file, source_flags(name, cpp=file.suffix == ".cpp")) for file in sources(name)]
    parts += ["machine", "serial", core(name), *(["stm32_flash"] if core(name) == "stm32" else [])]
    files += [(MOCKS / "machine" / f"{part}.cpp", ["-std=gnu++17"]) for part in parts]
    objects: list[Path] = []
    for file, flags in files:
        objects.append(folder / f"{'_'.join(file.relative_to(ROOT).parts)}.o")
        compiler = HOST[file.suffix == ".cpp"]
        all_flags = [*SANITIZERS, *flags, *macros(name), *(extra or []), *includes(name, encoder / LIBRARY)]
        _compile([compiler, *all_flags, f"-I{MOCKS / 'machine'}", "-c", file, "-o", objects[-1]])
    program = folder / "firmware"
    _compile(["g++", *SANITIZERS, *objects, *sorted(encoder.glob("*.o")), "-o", program, *_linker_flags(name)])
    return program


def build_encoder(folder: Path) -> Path:
    """Compile the common part of all environments: the bundle's encoder (portable C) and the libraries."""
    model = folder / LIBRARY
    generate(bundle_path(), model, "portable")
    headers = [f"-I{header}" for header in (*HEADERS, model)]
    files = [(file, ["-w", "-O2"]) for file in model.glob("*.c")]
    own = ["-std=c11", "-Wall", "-Wextra", "-Wdouble-promotion", "-Werror", *SANITIZERS]
    files += [(file, own) for library in LIBRARIES for file in library.rglob("*.c")]
    for file, flags in files:
        _compile(["gcc", *flags, *headers, "-c", file, "-o", folder / f"{file.parent.name}_{file.stem}.o"])
    return folder


class MockBoard(RunningBoard):
    """The host's end of a pseudo-terminal to a mocked board."""

    process: subprocess.Popen[bytes]

    def rest(self) -> bytes:
        """Wait until the board has ended and return what it has sent since the last reading."""
        self.process.wait(REPLY_SECONDS)
        return self.line.read(self.line.in_waiting)


@contextmanager
def run(program: Path, **variables: str) -> Iterator[MockBoard]:
    """Run a program on a pseudo-terminal; tests/firmware/arduino/machine/machine.h explains the variables."""
    board_end, host_end = pty.openpty()
    tty.setraw(host_end)
    environment = os.environ | {f"INKLING_{name.upper()}": value for name, value in variables.items()}
    try:
        # The port is opened first: pyserial then discards all that has arrived, and some boards send unasked.
        with (
            MockBoard(os.ttyname(host_end)) as board,
            subprocess.Popen([str(program)], stdin=board_end, stdout=board_end, env=environment) as process,
        ):
            board.process = process
            try:
                yield board
            finally:
                process.terminate()
    finally:
        os.close(board_end)
        os.close(host_end)


def _linker_flags(name: str) -> list[str]:
    words = shlex.split(" ".join(boards()[name]["build_flags"]).replace("$PIOENV", name))
    return [word for word in words if word.startswith("-Wl,--wrap=")]


def _run(command: Sequence[str | Path]) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(word) for word in command], check=False, capture_output=True, text=True)


def _compile(command: Sequence[str | Path]) -> None:
    done = _run(command)
    assert done.returncode == 0 and not done.stderr, f"{shlex.join(map(str, command))}\n{done.stderr}"
