"""Each engine's checks of its model at the start, tested with faults in the generated library."""

import json
import re
import shutil
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from benchmarks.device.cli import tflm_available
from firmware.tools import emulator
from firmware.tools.build import BuildError, build
from firmware.tools.model import LIBRARY, ModelError, generate
from tests.support.firmware import BUILDS, RunningBoard, build_lock, bundle_path, program
from tests.support.tflm import BUILD, NEEDS_TFLM, program_with_tflm
from wire import bundle
from wire.control import ErrorCode, Opcode
from wire.frame import FeatureLayout

Change = Callable[[Path], None]  # to the folder of a generated library


def replace(name: str, pattern: str, new: str) -> Change:
    """Return a change that replaces the first match of a pattern in a generated file."""

    def change(library: Path) -> None:
        text, count = re.subn(pattern, new, (library / name).read_text(), count=1, flags=re.DOTALL)
        assert count == 1, f"{name} has no {pattern}"
        (library / name).write_text(text)

    return change


def other_version(library: Path) -> None:
    """Change the model's schema version to 4, with a correct CRC-32: the version is the root table's first field."""
    model = bytearray(bundle_path().joinpath("encoder.tflite").read_bytes())
    table = int.from_bytes(model[:4], "little")
    fields = table - int.from_bytes(model[table : table + 4], "little", signed=True)
    version = table + int.from_bytes(model[fields + 4 : fields + 6], "little")
    assert model[version] == 3
    model[version] = 4
    replace("inkling_model_tflite.c", r"\{[^}]*\}", "{" + ", ".join(map(str, model)) + "}")(library)
    replace("inkling_model.h", "MODEL_CRC32 0x[0-9A-F]+", f"MODEL_CRC32 0x{zlib.crc32(model):08X}")(library)


FAULTS = {
    "level": ("aot", replace("inkling_model.c", r"symbol_table\[256\] = \{\s*0", "symbol_table[256] = {1"), 10),
    "order": ("aot", replace("inkling_model.c", r"(symbol_order\[\w+\] = \{\s*)(\d+), (\d+)", r"\1\3, \2"), 10),
    "chunk": ("aot", replace("inkling_model.c", r"(chunks\[\d+\] = \{\s*\{0u, )\d+", r"\g<1>1"), 10),
    "answer weight": ("aot", replace("inkling_model.c", r"(answer_weights\[256\] = \{\s*)\d+", r"\g<1>1"), 10),
    "weight": ("aot", replace("bknn_inkling_weights.c", r"-?\d+(,\s*\},\s*\};\s*)$", r"99\1"), 10),
    "multiplier": ("aot", replace("bknn_inkling_weights.c", r"(op0_multiplier = \{\s*)\d+", r"\g<1>99"), 10),
    "byte": ("tflm", replace("inkling_model_tflite.c", r"(= \{\s*)\d+", r"\g<1>99"), 10),
    "tflm's level": ("tflm", replace("inkling_model.c", r"symbol_table\[256\] = \{\s*0", "symbol_table[256] = {1"), 10),
    "version": ("tflm", other_version, 11),
    "operator": ("tflm", replace("inkling_model_ops.h", r"resolver.AddConv2D\(\) == kTfLiteOk &&", ""), 12),
    "more operators": ("tflm", replace("inkling_model_ops.h", r"Resolver<\d+>", "Resolver<1>"), 12),
    "arena": ("tflm", replace("inkling_model.h", r"ARENA_BYTES \d+u", "ARENA_BYTES 9000u"), 13),
    "height": ("tflm", replace("inkling_model_tflite.c", r"(_shapes\[\w+\] = \{\s*\{)\d+", r"\g<1>99"), 14),
    "outputs": ("tflm", replace("inkling_model.h", r"_OUTPUT_COUNT \d+u", "_OUTPUT_COUNT 1u"), 14),
    "output's zero point": (
        "tflm",
        replace("inkling_model.h", r"OUTPUT_ZERO_POINT \(-?\d+\)", "OUTPUT_ZERO_POINT (99)"),
        14,
    ),
    "zero point": ("tflm", replace("inkling_model.h", r"INPUT_ZERO_POINT \(-128\)", "INPUT_ZERO_POINT (-127)"), 14),
}


@cache
def built(engine: str) -> Path:
    """Return the folder of an up-to-date native build; PlatformIO empties one that is not, and the faults with it."""
    return build("native", engine=engine, build_dir=BUILDS / f"engine-{engine}").parent


def build_changed(engine: str, change: Change, folder: Path) -> Path:
    """Build the native firmware with a changed library and copy it to a folder; the next build restores the library."""
    with build_lock(f"engine-{engine}"):
        library = built(engine) / "model" / LIBRARY
        generate(bundle_path(), library, "portable", engine)
        try:
            change(library)
            return Path(shutil.copy2(build("native", engine=engine, build_dir=BUILDS / f"engine-{engine}"), folder))
        finally:
            (library / "stamp.txt").unlink()


def with_tflm(environment: str, folder: Path) -> Path:
    """Build an environment with the engine tflm and copy the program to a folder."""
    with build_lock(BUILD):
        return Path(shutil.copy2(program_with_tflm(environment), folder))


@pytest.mark.emulated
@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_engine_reports_a_fault_and_refuses_to_run(fault: str, tmp_path: Path) -> None:
    engine, change, code = FAULTS[fault]
    if engine == "tflm" and not tflm_available():
        pytest.skip(NEEDS_TFLM.kwargs["reason"])
    with emulator.native(build_changed(engine, change, tmp_path)) as url, RunningBoard(url) as board:
        assert board.info().engine == engine  # INFO works even if the board cannot encode
        pixels = bytes(int(np.prod(board.bundle.input_shape)))
        for opcode, data in ((Opcode.BENCH, b"\1"), (Opcode.RUN, b"\0\0" + pixels)):
            board.send(board.command(opcode, data))
            assert board.error() == (ErrorCode(code), opcode, board.request)


@pytest.mark.emulated
@pytest.mark.parametrize("environment", ["native", "qemu_stm32f405"])
@NEEDS_TFLM
def test_engines_give_the_same_frames(environment: str, tmp_path: Path) -> None:
    golden = np.load(bundle_path() / "golden.npz")
    boards = {"aot": program(environment), "tflm": with_tflm(environment, tmp_path)}
    start = emulator.native if environment == "native" else emulator.qemu
    frames = {}
    for engine, elf in boards.items():
        with start(elf) as url, RunningBoard(url) as board:
            info = board.info()
            assert info.engine == engine
            assert info.arena_bytes <= info.encoder_ram_bytes
            frames[engine] = [board.run(image.tobytes())[0] for image in golden["images"]]
    assert frames["tflm"] == frames["aot"]
    layout = FeatureLayout(bundle.load(bundle_path()).chunk_bits(0))
    assert len(frames["tflm"]) == len(golden["images"]) > 0
    assert all(len(frame) == layout.serial_size for frame in frames["tflm"])


@pytest.mark.parametrize("engine", ["aot", "tflm"])
def test_generate_writes_an_engine_only_if_something_changed(tmp_path: Path, engine: str) -> None:
    assert generate(bundle_path(), tmp_path / "out", "portable", engine)
    assert not generate(bundle_path(), tmp_path / "out", "portable", engine)
    other = {"aot": "tflm", "tflm": "aot"}[engine]
    assert generate(bundle_path(), tmp_path / "out", "portable", other)
    networks = {"aot": "bknn_inkling_weights.c", "tflm": "inkling_model_tflite.c"}
    assert (tmp_path / "out" / networks[other]).is_file()
    assert not (tmp_path / "out" / networks[engine]).exists()


def test_generate_gives_tflm_the_models_operators_and_arena(tmp_path: Path) -> None:
    generate(bundle_path(), tmp_path / "out", "portable", "tflm")
    manifest = bundle.load(bundle_path()).manifest
    ops = (tmp_path / "out" / "inkling_model_ops.h").read_text()
    assert re.findall(r"Add(\w+)\(\)", ops) == ["Add", "Conv2D", "DepthwiseConv2D"]
    assert "MicroMutableOpResolver<3>" in ops
    header = (tmp_path / "out" / "inkling_model.h").read_text()
    (arena,) = map(int, re.findall(r"ARENA_BYTES (\d+)u", header))
    assert manifest["arena_bytes"] * 1.12 < arena < manifest["arena_bytes"] * 1.13
    array = (tmp_path / "out" / "inkling_model_tflite.c").read_text()
    assert "alignas(16) const unsigned char" in array
    numbers = bytes(map(int, re.findall(r"\d+", array.split("= {")[1])))
    assert numbers == (bundle_path() / "encoder.tflite").read_bytes()


@pytest.mark.parametrize("field", ["ops", "arena_bytes"])
@pytest.mark.parametrize("value", [None, True, [3], 10**400])
def test_generate_for_tflm_refuses_incomplete_manifest(tmp_path: Path, field: str, value: object) -> None:
    shutil.copytree(bundle_path(), tmp_path / "bundle")
    manifest = json.loads((tmp_path / "bundle" / "bundle.json").read_text())
    manifest[field] = value
    if value is None:
        del manifest[field]
    (tmp_path / "bundle" / "bundle.json").write_text(json.dumps(manifest))
    with pytest.raises(ModelError, match=f"bundle.json's {field} is not a"):
        generate(tmp_path / "bundle", tmp_path / "out", "portable", "tflm")


def test_generate_refuses_unknown_engine(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="custom_engine is one of aot, tflm, not 'magic'"):
        generate(bundle_path(), tmp_path / "out", "portable", "magic")


@pytest.mark.emulated
def test_build_with_tflm_reports_missing_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLATFORMIO_LIB_EXTRA_DIRS", "")
    with pytest.raises(BuildError, match="no TFLite Micro in lib_deps or PLATFORMIO_LIB_EXTRA_DIRS"):
        build("native", engine="tflm", build_dir=tmp_path)
