"""RunningBoard environments of platformio.ini on the host: their own flags and sources, against tests/firmware/arduino."""

import json
import os
import pty
import re
import shlex
import subprocess
import sys
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from itertools import pairwise
from pathlib import Path

from firmware.tools import core_dir
from firmware.tools.model import LIBRARY, generate
from tests.support.firmware import RunningBoard, bundle_path

ROOT = core_dir.ROOT
STANDINS = ROOT / "tests" / "firmware" / "arduino"
FIRMWARE = ROOT / "firmware"
LIBRARIES = [folder for folder in sorted((FIRMWARE / "lib").iterdir()) if folder.is_dir()]
HEADERS = [FIRMWARE / "src", *LIBRARIES, FIRMWARE / "lib" / "wire" / "src"]
# What the cores' own build scripts define, and PlatformIO's board files; STM32duino turns the last into USB.
CORE_MACROS = {
    "esp32": ["-DARDUINO_ARCH_ESP32", "-DESP32", "-DESP_PLATFORM"],
    "stm32": ["-DARDUINO_ARCH_STM32"],
}
BOARD_MACROS = {"esp32-c3-devkitm-1": ["-DCONFIG_FREERTOS_UNICORE=1"], "nucleo_wl55jc": ["-DSTM32WLxx"]}
USB_MACRO = "-DPIO_FRAMEWORK_ARDUINO_ENABLE_CDC"
SANITIZERS = ["-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
# Debian's cross compiler has the 32-bit types of the real ones, in which uint32_t is a long.
CROSS = ("arm-none-eabi-gcc", "arm-none-eabi-g++")
HOST = ("gcc", "g++")

Options = dict[str, object]


@cache
def environments() -> dict[str, Options]:
    """name: options, as PlatformIO reads platformio.ini; without network."""
    command = [sys.executable, "-m", "platformio", "project", "config", "-d", str(ROOT), "--json-output"]
    done = subprocess.run(command, env=core_dir.environment(), check=True, capture_output=True, text=True)
    sections = ((name, dict(options)) for name, options in json.loads(done.stdout))
    return {name.removeprefix("env:"): options for name, options in sections if name.startswith("env:")}


def boards() -> dict[str, Options]:
    """Those with the Arduino framework."""
    return {name: options for name, options in environments().items() if options.get("framework") == ["arduino"]}


def core(name: str) -> str:
    """esp32 or stm32."""
    return "esp32" if str(boards()[name]["platform"]).startswith("espressif32@") else "stm32"


def macros(name: str) -> list[str]:
    """-D of the environment, and those that the core's build adds."""
    options = boards()[name]
    words = shlex.split(" ".join(options["build_flags"]).replace("$PIOENV", name))
    own = [f"-D{value}" for flag, value in pairwise(words) if flag == "-D"]
    usb = ["-DUSBCON", "-DUSBD_USE_CDC"] if USB_MACRO in own else []
    return [*own, *usb, *CORE_MACROS[core(name)], *BOARD_MACROS.get(str(options["board"]), [])]


def source_flags(name: str, *, cpp: bool) -> list[str]:
    """build_src_flags, as C or C++ takes them."""
    words = shlex.split(" ".join(boards()[name]["build_src_flags"]))
    return [word for word in words if not word.startswith("-std=") or ("++" in word) == cpp]


def folders(name: str) -> list[Path]:
    """Where build_src_filter lets sources come from."""
    patterns = re.findall(r"\+<([^>]*)>", " ".join(boards()[name]["build_src_filter"]))
    return [(FIRMWARE / "src" / pattern.removesuffix("*")).resolve() for pattern in patterns]


def sources(name: str) -> list[Path]:
    """The application and the port."""
    return sorted(file for folder in folders(name) for file in folder.iterdir() if file.suffix in (".c", ".cpp"))


def includes(name: str, model: Path) -> list[str]:
    headers = [*HEADERS, model]
    standins = [STANDINS / core(name), STANDINS / "lora"]
    return [*(f"-I{folder}" for folder in headers), *(f"-isystem{folder}" for folder in standins)]


def check(name: str, model: Path, compilers: tuple[str, str], extra: list[str] | None = None) -> str:
    """Compiles all sources of an environment, without output; returns what the compilers said, "" if nothing."""
    said = ""
    for cpp, suffix in enumerate((".c", ".cpp")):
        files = [str(file) for file in sources(name) if file.suffix == suffix]
        flags = [*source_flags(name, cpp=bool(cpp)), *macros(name), *(extra or []), *includes(name, model)]
        done = _run([compilers[cpp], "-fsyntax-only", *flags, *files])
        said += done.stderr
    return said


def check_tflm(model: Path, extra: list[str] | None = None) -> str:
    """Compiles the engine tflm, without output, with the names that the pinned TFLM library has; returns what the
    compiler said. model: generated for that engine."""
    flags = ["-std=gnu++17", "-Wall", "-Wextra", "-Wdouble-promotion", "-Werror", "-DTF_LITE_STATIC_MEMORY"]
    where = [*(f"-I{folder}" for folder in (*HEADERS, model)), f"-isystem{STANDINS / 'tflm'}"]
    source = FIRMWARE / "lib" / "encoder" / "tflm.cpp"
    return _run([CROSS[1], "-fsyntax-only", *flags, *(extra or []), *where, source]).stderr


def build(name: str, encoder: Path, folder: Path, extra: list[str] | None = None) -> Path:
    """Compiles and links an environment with its machine, under sanitizers; `encoder`: from build_encoder()."""
    folder.mkdir(parents=True, exist_ok=True)
    parts = [kind for kind in ("radio", "camera") if f"-DINKLING_{kind.upper()}=1" in macros(name)]
    jobs = [(file, source_flags(name, cpp=file.suffix == ".cpp")) for file in sources(name)]
    parts += ["machine", "serial", core(name)]
    jobs += [(STANDINS / "machine" / f"{part}.cpp", ["-std=gnu++17"]) for part in parts]
    objects = []
    for file, flags in jobs:
        objects.append(folder / f"{'_'.join(file.relative_to(ROOT).parts)}.o")
        compiler = HOST[file.suffix == ".cpp"]
        where = [*includes(name, encoder / LIBRARY), f"-I{STANDINS / 'machine'}"]
        _compile([compiler, *SANITIZERS, *flags, *macros(name), *(extra or []), *where, "-c", file, "-o", objects[-1]])
    program = folder / "firmware"
    _compile(["g++", *SANITIZERS, *objects, *sorted(encoder.glob("*.o")), "-o", program, *_linker_flags(name)])
    return program


def build_encoder(folder: Path) -> Path:
    """What all environments share, compiled once: the bundle's encoder (portable C) and the libraries."""
    model = folder / LIBRARY
    generate(bundle_path(), model, "portable")
    headers = [f"-I{header}" for header in (*HEADERS, model)]
    sources = [(file, ["-w", "-O2"]) for file in model.glob("*.c")]
    own = ["-std=c11", "-Wall", "-Wextra", "-Wdouble-promotion", "-Werror", *SANITIZERS]
    sources += [(file, own) for library in LIBRARIES for file in library.rglob("*.c")]
    for file, flags in sources:
        _compile(["gcc", *flags, *headers, "-c", file, "-o", folder / f"{file.parent.name}_{file.stem}.o"])
    return folder


@contextmanager
def run(program: Path, **variables: str) -> Iterator[RunningBoard]:
    """Starts it on a pseudo-terminal; variables: see tests/firmware/arduino/machine/machine.h."""
    ours, theirs = pty.openpty()
    tty.setraw(theirs)
    environment = os.environ | {f"INKLING_{name.upper()}": value for name, value in variables.items()}
    with subprocess.Popen([str(program)], stdin=ours, stdout=ours, env=environment) as process:
        board = RunningBoard(os.ttyname(theirs))
        try:
            yield board
        finally:
            board.line.close()
            process.terminate()
            process.wait()
            os.close(ours)
            os.close(theirs)


def _linker_flags(name: str) -> list[str]:
    words = shlex.split(" ".join(boards()[name]["build_flags"]).replace("$PIOENV", name))
    return [word for word in words if word.startswith("-Wl,--wrap=")]


def _run(command: list[str | Path]) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(word) for word in command], check=False, capture_output=True, text=True)


def _compile(command: list[str | Path]) -> None:
    done = _run(command)
    assert done.returncode == 0 and not done.stderr, f"{shlex.join(map(str, command))}\n{done.stderr}"
