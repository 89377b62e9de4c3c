"""The firmware's replies to valid commands, on every target, against TFLite's reference kernels."""

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from firmware.tools import emulator
from firmware.tools.footprint import measure
from host.reference import ReferenceEncoder
from tests.support.firmware import TARGETS, RunningBoard, boot, bundle_path, program
from train.data.datasets import cache_dir
from wire.answer import Answer
from wire.bundle import Bundle, load
from wire.control import BenchResult, Mode, Opcode
from wire.frame import check_crc

pytestmark = pytest.mark.emulated

MAX_INSTRUCTIONS = {"qemu_stm32f405": 7_500_000, "qemu_rv32imc": 24_000_000}
MAX_MODEL_FLASH = 48_000
MAX_ENCODER_RAM = 24_000


def real_images(bundle: Bundle) -> np.ndarray:
    """Return images (n, H, W, C) uint8: golden ones and, if the data set is available, test images."""
    images = np.load(bundle.golden_path)["images"][:8]
    folders = [Path(os.environ["INKLING_DATA"])] if os.environ.get("INKLING_DATA") else []
    data = [file for folder in (*folders, cache_dir()) if (file := folder / "cifar10.npz").is_file()]
    if bundle.manifest["dataset"] == "cifar10" and data:
        images = np.concatenate([images, np.load(data[0])["x_test"][100:116]])
    return images


class Expected(NamedTuple):
    """What the reference kernels and Python make of an image."""

    symbols: np.ndarray  # (S,) int64
    answer: Answer | None  # None: the bundle has no answer head


def expect(bundle: Bundle, images: np.ndarray) -> list[Expected]:
    outputs = ReferenceEncoder(bundle.encoder_path).outputs(images)
    symbols = bundle.symbols(outputs[:, : bundle.latent_size])
    if bundle.answer is None:
        return [Expected(row, None) for row in symbols]
    answers = zip(*bundle.answer.answers(outputs[:, bundle.latent_size :]), strict=True)
    return [Expected(row, Answer(int(i), int(c))) for row, (i, c) in zip(symbols, answers, strict=True)]


def test_info_gives_the_bundle_and_the_build(board: RunningBoard) -> None:
    bundle, info = board.bundle, board.info()
    assert info.wire_version == 1
    assert info.model_number == bundle.number
    assert info.input_shape == bundle.input_shape
    assert (info.symbols, info.bits_per_symbol) == (bundle.n_symbols, bundle.bits_per_symbol)
    assert info.chunks == len(bundle.chunks)
    assert (info.classes, info.threshold) == (bundle.class_count, bundle.threshold)
    assert info.mode == (Mode.ADAPTIVE if bundle.answer else Mode.FEATURES)
    assert info.engine == "aot"
    assert info.max_data == 2 + int(np.prod(bundle.input_shape))
    assert info.target in TARGETS


def test_run_gives_the_frame_of_the_reference_kernels(board: RunningBoard) -> None:
    images = real_images(board.bundle)
    for image, expected in zip(images, expect(board.bundle, images), strict=True):
        frame, _ = board.run(image.tobytes())
        assert frame == board.bundle.frame(expected.symbols, 1, board.request % 32, answer=expected.answer)


@pytest.mark.parametrize("value", [0, 127, 128, 255])
def test_run_gives_the_frame_of_flat_and_extreme_images(board: RunningBoard, value: int) -> None:
    image = np.full(board.bundle.input_shape, value, np.uint8)
    image[0, 0, 0] = 255 - value
    (expected,) = expect(board.bundle, image[None])
    frame, _ = board.run(image.tobytes())
    assert frame == board.bundle.frame(expected.symbols, 1, board.request % 32, answer=expected.answer)


def test_run_gives_pythons_frame_for_every_chunk(board: RunningBoard) -> None:
    image = np.load(board.bundle.golden_path)["images"][0].tobytes()
    for chunk in range(len(board.bundle.chunks)):
        frame, _ = board.run(image, chunk)
        assert frame == board.golden_frame(0, chunk)
        assert check_crc(frame[4:], board.bundle.number)


def test_run_without_cost_sends_only_the_frame(board: RunningBoard) -> None:
    image = np.load(board.bundle.golden_path)["images"][0].tobytes()
    with_cost, cost = board.run(image)
    assert 0 < cost.encode_cycles < cost.total_cycles
    board.send(board.command(Opcode.RUN, bytes((0, 0)) + image))
    alone = board.frame(len(with_cost))
    assert alone[12:-2] == with_cost[12:-2]
    assert board.is_silent()


def test_bench_repeats_the_encoder(board: RunningBoard) -> None:
    board.run(np.load(board.bundle.golden_path)["images"][1].tobytes())
    board.send(board.command(Opcode.BENCH, b"\x03"))
    result = BenchResult.unpack(board.reply().data)
    assert result.repeats == 3
    assert 0 < result.min_cycles <= result.mean_cycles <= result.max_cycles
    assert result.microseconds > 0


@pytest.mark.parametrize("target", MAX_INSTRUCTIONS)
def test_run_cost_is_within_the_budget(target: str) -> None:
    bundle = load(bundle_path())
    images = np.load(bundle.golden_path)["images"]
    with boot(target, count_instructions=True) as board:
        clock_hz = board.info().clock_hz
        costs = [board.run(image.tobytes())[1] for image in images[:2]]
        counts = [emulator.instructions(cost.encode_cycles, clock_hz) for cost in costs]
        stack_bytes = board.info().stack_bytes
    assert max(counts) <= MAX_INSTRUCTIONS[target]
    assert max(counts) - min(counts) < 0.01 * max(counts)  # hardly depends on the image
    assert 0 < stack_bytes < 8192


@pytest.mark.parametrize("target", MAX_INSTRUCTIONS)
def test_footprint_is_within_the_budget_and_equals_info(target: str) -> None:
    footprint = measure(program(target))
    assert footprint.model_flash_bytes <= MAX_MODEL_FLASH
    assert footprint.encoder_ram_bytes <= MAX_ENCODER_RAM
    assert footprint.model_flash_bytes < footprint.flash_bytes <= 1_000_000
    with boot(target) as board:
        assert board.info().encoder_ram_bytes == footprint.encoder_ram_bytes
