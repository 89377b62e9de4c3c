"""What the encoder costs on an emulated board: instructions counted by QEMU, bytes from the linked program."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from firmware.tools.emulator import instructions, qemu
from firmware.tools.footprint import measure as footprint
from host.board.board import Board
from host.errors import HostError
from wire.bundle import Bundle
from wire.control import Info

TIMEOUT_S = 60.0  # an emulated board on a busy machine may think for long
COUNTED_IMAGES = 3  # the count hardly depends on the image


@dataclass(frozen=True)
class Target:
    """A processor whose instructions are counted."""

    title: str
    environment: str  # of platformio.ini
    compiler: str
    engines: dict[str, str]  # engine -> engine and kernels in words


TARGETS = {
    "cortex-m4": Target(
        "Cortex-M4",
        "qemu_stm32f405",
        "arm-none-eabi-gcc",
        {"aot": "aot, CMSIS-NN", "tflm": "TFLite Micro, CMSIS-NN"},
    ),
    # TFLM's portable kernels are no fair opponent, and there are no others for RV32IMC.
    "rv32imc": Target("RV32IMC", "qemu_rv32imc", "riscv64-unknown-elf-gcc", {"aot": "aot, portable kernels"}),
}


@dataclass(frozen=True)
class Cost:
    """Of one image, and of the program that encodes it. Bytes."""

    instructions: int
    model_flash_bytes: int  # weights + kernels + tables + the engine
    arena_bytes: int
    encoder_ram_bytes: int  # arena + input + output + scratch
    firmware_flash_bytes: int
    static_ram_bytes: int
    stack_bytes: int  # deepest after the images


def measure(elf: Path, environment: str, engine: str, bundle: Bundle) -> Cost:
    """Boot the program and let it encode the bundle's golden images.

    HostError when it has another engine, or does not make the symbols of TFLite's reference kernels: the cost of
    wrong bytes means nothing.
    """
    images, symbols = _golden(bundle)
    info, per_image = count_instructions(elf, environment, bundle, images, symbols)
    if info.engine != engine:
        raise HostError(f"{elf} was to have engine {engine} and has {info.engine}")
    size = footprint(elf)
    return Cost(
        per_image,
        size.model_flash_bytes,
        info.arena_bytes,
        size.encoder_ram_bytes,
        size.flash_bytes,
        size.ram_bytes,
        info.stack_bytes,
    )


def count_instructions(
    elf: Path, environment: str, bundle: Bundle, images: np.ndarray, symbols: np.ndarray | None = None
) -> tuple[Info, int]:
    """INFO after the images, uint8 (n, H, W, C), and instructions of the encoder an image.

    symbols: int64 (n, S) that must come back. HostError when they do not, or the board does not tell the cost.
    """
    with (
        qemu(elf, environment, count_instructions=True) as url,
        Board.open(url, bundle, timeout=TIMEOUT_S) as device,
    ):
        device.check(device.info())
        cycles = []
        for i, image in enumerate(images):
            frame, cost = device.run(image, cost=True)
            if frame is None or cost is None:
                raise HostError(f"{environment} did not answer with a frame and its cost")
            if symbols is not None and not np.array_equal(frame.symbols, symbols[i]):
                raise HostError(f"{environment} makes other symbols of image {i} than TFLite's reference kernels")
            cycles.append(cost.encode_cycles)
        info = device.info()
    return info, instructions(round(sum(cycles) / len(cycles)), info.clock_hz)


def compiler_version(target: Target) -> str:
    """What the target's compiler calls itself, packager's version and all. HostError when it is missing."""
    try:
        done = subprocess.run([target.compiler, "--version"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise HostError(f"{target.compiler}: {error}") from None
    return done.stdout.splitlines()[0]


def _golden(bundle: Bundle) -> tuple[np.ndarray, np.ndarray]:
    """Images uint8 (n, H, W, C) and their symbols (n, S)."""
    try:
        with np.load(bundle.golden_path) as golden:
            return golden["images"][:COUNTED_IMAGES], golden["symbols"][:COUNTED_IMAGES]
    except (OSError, ValueError, KeyError) as error:
        raise HostError(f"{bundle.golden_path} has no images and symbols: {error}") from None
