"""Cost of the encoder on an emulated board: instructions counted by QEMU, bytes from the linked program."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.encoding import Encoded
from firmware.tools.emulator import instructions, qemu
from firmware.tools.footprint import measure as footprint
from host.board.board import Board
from host.errors import HostError
from host.receive.events import AnswerFrame, FeatureFrame
from wire.bundle import Bundle
from wire.control import Info, Mode, ModeSetting

TIMEOUT_S = 60.0  # an emulated board may take long on a busy machine
COUNTED_IMAGES = 3  # the count hardly depends on the image
# The linker replaces BakeNN's ADD kernel by our own (firmware/lib/encoder/aot_add.c). Under another name it stays.
BAKENN_ADD = "-D bknn_inkling_add_s8=bakenn_add_s8"


@dataclass(frozen=True)
class Variant:
    """An engine with its kernels, as it is built for a target."""

    title: str
    engine: str  # as a build selects it and the board reports it
    flags: str = ""  # for the compiler


@dataclass(frozen=True)
class Target:
    """A processor whose instructions are counted."""

    title: str
    environment: str  # of platformio.ini
    compiler: str
    variants: dict[str, Variant]


TARGETS = {
    "cortex-m4": Target(
        "Cortex-M4",
        "qemu_stm32f405",
        "arm-none-eabi-gcc",
        {
            "aot": Variant("aot, CMSIS-NN", "aot"),
            "aot_bakenn_add": Variant("aot with BakeNN's ADD, CMSIS-NN", "aot", BAKENN_ADD),
            "tflm": Variant("TFLite Micro, CMSIS-NN", "tflm"),
        },
    ),
    # TFLM has only portable kernels for RV32IMC, which are too slow for a fair comparison.
    "rv32imc": Target(
        "RV32IMC",
        "qemu_rv32imc",
        "riscv64-unknown-elf-gcc",
        {"aot": Variant("aot, portable kernels", "aot")},
    ),
}


@dataclass(frozen=True)
class Cost:
    """Cost of one image, and of the program that encodes it. Sizes in bytes."""

    instructions: int
    model_flash_bytes: int  # weights + kernels + tables + the engine
    arena_bytes: int
    encoder_ram_bytes: int  # arena + input + output + scratch
    firmware_flash_bytes: int
    static_ram_bytes: int
    stack_bytes: int  # maximum after the images


def measure(elf: Path, environment: str, engine: str, bundle: Bundle) -> Cost:
    """Boot the program, let it encode the bundle's golden images, and return its cost.

    Raises HostError if the program has another engine, or if its symbols or answers differ from those of TFLite's
    reference kernels: the cost of a wrong result means nothing.
    """
    images, expected = _golden(bundle)
    info, per_image = count_instructions(elf, environment, bundle, images, expected)
    if info.engine != engine:
        raise HostError(f"{elf} has engine {info.engine}, not {engine}: build it again")
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
    elf: Path, environment: str, bundle: Bundle, images: np.ndarray, expected: Encoded | None = None
) -> tuple[Info, int]:
    """Encode images uint8 (n, H, W, C); return INFO after them, and the encoder's instructions per image.

    Raises HostError if the board's symbols or answers differ from the expected ones, or if it does not report its cost.
    """
    with (
        qemu(elf, environment, count_instructions=True) as url,
        Board.open(url, bundle, timeout=TIMEOUT_S) as board,
    ):
        board.check(board.info())
        modes = [Mode.FEATURES] if bundle.heads else []
        modes += [Mode.ANSWER] if bundle.answer else []
        cycles = []
        for mode in modes:
            if bundle.answer:
                board.mode(ModeSetting(mode, bundle.threshold))
            for i, image in enumerate(images):
                frame, cost = board.run_by_mode(image, cost=True)
                if frame is None or cost is None:
                    raise HostError(f"{environment} did not reply with a frame and its cost")
                if expected is not None and not is_as_computed(frame, expected, i):
                    raise HostError(f"{environment}: the result of image {i} is not that of TFLite's reference kernels")
                cycles.append(cost.encode_cycles)
        info = board.info()
    return info, instructions(round(sum(cycles) / len(cycles)), info.clock_hz)


def is_as_computed(frame: FeatureFrame | AnswerFrame, expected: Encoded, i: int) -> bool:
    """Return True if a frame received without bit errors holds what is expected of image i."""
    answer = expected.answer(i)
    if isinstance(frame, AnswerFrame):
        return frame.answer == answer
    return frame.payload == frame.model.payload(expected.symbols[i], answer)


def compiler_version(target: Target) -> str:
    """Return the version line of the target's compiler. Raises HostError if the compiler is missing."""
    try:
        done = subprocess.run([target.compiler, "--version"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise HostError(f"{target.compiler}: {error}") from None
    return done.stdout.splitlines()[0]


def _golden(bundle: Bundle) -> tuple[np.ndarray, Encoded]:
    """Return images uint8 (n, H, W, C) and what the board computes of them."""
    try:
        with np.load(bundle.golden_path) as golden:
            images, symbols = golden["images"][:COUNTED_IMAGES], golden["symbols"][:COUNTED_IMAGES]
            if bundle.answer is None:
                return images, Encoded(symbols)
            classes, confidences = golden["answers"][:COUNTED_IMAGES].astype(np.int64).T
            return images, Encoded(symbols, classes, confidences)
    except (OSError, ValueError, KeyError) as error:
        raise HostError(f"{bundle.golden_path} has no images, symbols and answers: {error}") from None
