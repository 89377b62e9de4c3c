"""Test programs of tests/firmware/c on a bare port, in place of the application."""

import configparser
import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import serial

from tests.support import ROOT
from tests.support.firmware import REPLY_SECONDS

PORTS = ROOT / "firmware" / "ports"
LIB = ROOT / "firmware" / "lib"


class BarePort(NamedTuple):
    """Compiler, flags and sources of a port, as in an environment of platformio.ini."""

    compiler: str
    flags: tuple[str, ...]
    folders: tuple[str, ...]  # under firmware/ports
    linker_scripts: tuple[str, ...]


ARM = ("-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=soft", "--specs=nano.specs")
RISCV = ("-march=rv32imc", "-misa-spec=2.2", "-mabi=ilp32", "--specs=picolibc.specs", "-Wl,--no-warn-rwx-segments")
BARE_PORTS = {
    "qemu_stm32f405": BarePort("arm-none-eabi-gcc", ARM, ("stm32f405", "bare"), ("stm32f405/stm32f405.ld",)),
    "qemu_rv32imc": BarePort(
        "riscv64-unknown-elf-gcc", RISCV, ("qemu_virt", "rv32", "bare"), ("qemu_virt/memory.ld", "rv32/sections.ld")
    ),
    "sim_esp32c3": BarePort(
        "riscv64-unknown-elf-gcc", RISCV, ("esp32c3", "rv32", "bare"), ("esp32c3/memory.ld", "rv32/sections.ld")
    ),
}


def build_with(environment: str, application: str, folder: Path, extra: Sequence[str | Path] = ()) -> Path:
    """Build firmware.elf in `folder` from the environment's port and tests/firmware/c/APPLICATION.

    `extra` are further arguments of the compiler: sources and flags.
    """
    port = BARE_PORTS[environment]
    elf = folder / "firmware.elf"
    headers = [LIB.parent / "src", LIB / "board", LIB / "counter", LIB / "wire" / "src"]
    headers += [PORTS / name for name in port.folders]
    sources = [source for name in port.folders for source in sorted((PORTS / name).glob("*.c"))]
    libraries = [LIB / "counter" / "flash_log.c", LIB / "wire" / "src" / "wire" / "crc.c"]
    sources += [source for source in libraries if source not in extra]
    flags = [
        "-std=c11",
        *project_flags(),
        "-Wall",
        "-Wextra",
        "-Werror",
        "-nostartfiles",
        f'-DINKLING_TARGET="{environment}"',
    ]
    flags += [f"-I{header}" for header in headers] + [f"-T{PORTS / script}" for script in port.linker_scripts]
    sources.append(ROOT / "tests" / "firmware" / "c" / application)
    subprocess.run([port.compiler, *port.flags, *flags, *sources, *extra, "-o", elf], check=True)
    return elf


def project_flags() -> list[str]:
    """Return the flags of platformio.ini for the optimization and for checks in the code."""
    config = configparser.ConfigParser(interpolation=None)
    config.read(ROOT / "platformio.ini", encoding="utf-8")
    return [word for word in shlex.split(config["env"]["build_flags"]) if word.startswith(("-O", "-f"))]


def ask(url: str, question: bytes) -> bytes:
    """Send a question to a test program and return the line that it answers."""
    with serial.serial_for_url(url, timeout=REPLY_SECONDS) as line:
        line.write(question)
        return line.readline()
