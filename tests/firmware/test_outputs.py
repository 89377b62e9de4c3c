"""Every output of the encoder equals that of TFLite's reference kernels, byte for byte, on each target."""

import ctypes
import importlib.metadata
import json
import re
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import serial

from firmware.tools import scratch, tflite_graph
from firmware.tools.boards import fits
from firmware.tools.model import LIBRARY, ModelError, generate, needs
from host.reference import ReferenceEncoder, int8_pixels
from tests.firmware import random_bundle
from tests.firmware.encoders import Heads, random_encoder
from tests.firmware.ports.bare_programs import ask, build_with
from tests.support import ROOT
from tests.support.firmware import REPLY_SECONDS, build_lock, bundle_path, start
from tests.support.tflm import BUILD, NEEDS_TFLM, program_with_tflm
from wire.bundle import Bundle, load

LIB = ROOT / "firmware" / "lib"
KERNELS = {"qemu_stm32f405": "cmsis_nn", "qemu_rv32imc": "portable"}
OUTPUTS = {
    "two heads and an answer": Heads(),
    "three heads and 100 classes": Heads(pooled=7, classes=100),
    "heads without an answer": Heads(classes=0),
    "one head": Heads(shallow=0, classes=0),
    "an answer without heads": Heads(0, 0, 0, 10),
}
Encode = Callable[[np.ndarray], np.ndarray]  # image uint8 (H, W, C) -> outputs int8 (n,)


def encoder_sources(bundle: Path, library: Path, kernels: str) -> list[str | Path]:
    """Generate the bundle's library; return the compiler's arguments for the engine with it."""
    generate(bundle, library, kernels)
    includes = [library, library / "third_party" / "cmsis_nn" / "Include", library / "third_party/cmsis_core/Include"]
    includes += [LIB / "encoder", LIB / "wire" / "src"]
    own = [LIB / "encoder" / name for name in ("aot.c", "aot_add.c", "tables.c")]
    flags = ["-w", "-DBAKENN_CMSIS_NN_BUILTIN_MEMORY", "-Wl,--wrap=bknn_inkling_add_s8"]
    return [*flags, *(f"-I{place}" for place in includes), *own, LIB / "wire/src/wire/crc.c", *library.rglob("*.c")]


def check(bundle: Bundle, encode: Encode, images: np.ndarray) -> None:
    """Compare the outputs for each image with those of the reference kernels."""
    expected = ReferenceEncoder(bundle.encoder_path).outputs(images)
    assert expected.shape == (len(images), bundle.latent_size + bundle.class_count)
    assert expected.std(axis=0).mean() > 1, "the outputs depend on the image"
    for image, outputs in zip(images, expected, strict=True):
        np.testing.assert_array_equal(encode(image), outputs)


def images_for(bundle: Bundle) -> np.ndarray:
    golden = np.load(bundle.golden_path)["images"][:8]
    return np.concatenate([golden, np.zeros_like(golden[:1]), np.full_like(golden[:1], 255)])


def native(path: Path, folder: Path) -> Encode:
    """Return the engine as a shared library of this machine."""
    bundle = load(path)
    sources = encoder_sources(path, folder / "model", "portable")
    subprocess.run(["gcc", "-std=c11", "-O1", "-shared", "-fPIC", *sources, "-o", folder / "encoder.so"], check=True)
    engine = ctypes.CDLL(str(folder / "encoder.so"))
    engine.encoder_input.restype = engine.encoder_run.restype = ctypes.POINTER(ctypes.c_int8)
    assert engine.encoder_start() == 0

    def encode(image: np.ndarray) -> np.ndarray:
        ctypes.memmove(engine.encoder_input(), int8_pixels(image).tobytes(), image.size)
        return np.array(engine.encoder_run()[: bundle.latent_size + bundle.class_count], np.int8)

    return encode


@pytest.mark.parametrize("outputs", OUTPUTS)
def test_outputs_equal_the_reference_kernels_natively(tmp_path: Path, outputs: str) -> None:
    path = random_bundle.folder(OUTPUTS[outputs])
    check(load(path), native(path, tmp_path), images_for(load(path)))


def test_outputs_of_the_bundle_equal_the_reference_kernels_natively(tmp_path: Path) -> None:
    bundle = load(bundle_path())
    check(bundle, native(bundle.path, tmp_path), images_for(bundle))


@pytest.mark.emulated
@pytest.mark.parametrize("outputs", ["the bundle", *OUTPUTS])
@pytest.mark.parametrize("environment", KERNELS)
def test_outputs_equal_the_reference_kernels_in_qemu(tmp_path: Path, environment: str, outputs: str) -> None:
    path = random_bundle.folder(OUTPUTS[outputs]) if outputs in OUTPUTS else bundle_path()
    bundle = load(path)
    sources = encoder_sources(path, tmp_path / "model", KERNELS[environment])
    elf = build_with(environment, "outputs_app.c", tmp_path, ["-ffunction-sections", "-Wl,--gc-sections", *sources])
    check_program(environment, elf, bundle)


def check_program(environment: str, program: Path, bundle: Bundle) -> None:
    """Compare the outputs of a program of outputs_app.c with those of the reference kernels."""
    with start(environment, program) as url:
        assert ask(url, b"S") == b"0\n"
        with serial.serial_for_url(url, timeout=REPLY_SECONDS) as line:

            def encode(image: np.ndarray) -> np.ndarray:
                line.write(b"E" + int8_pixels(image).tobytes())
                return np.frombuffer(line.read(bundle.latent_size + bundle.class_count), np.int8)

            check(bundle, encode, images_for(bundle))


def native_program(application: str, folder: Path, extra: list[str | Path]) -> Path:
    """Build a test program as a process, in place of the application."""
    firmware = ROOT / "firmware"
    sources = sorted((firmware / "ports" / "posix").glob("*.c"))
    sources.append(ROOT / "tests" / "firmware" / "c" / application)
    headers = [f"-I{firmware / 'src'}", f"-I{LIB / 'board'}"]
    flags = ["-std=c11", "-O2", '-DINKLING_TARGET="native"']
    subprocess.run(["gcc", *flags, *headers, *sources, *extra, "-o", folder / "inkling"], check=True)
    return folder / "inkling"


# Not RV32IMC: Debian's compiler for it has no C++ library.
@pytest.mark.emulated
@pytest.mark.parametrize("environment", ["native", "qemu_stm32f405"])
@NEEDS_TFLM
def test_tflm_outputs_equal_the_reference_kernels(tmp_path: Path, environment: str) -> None:
    with build_lock(BUILD):
        folder = program_with_tflm(environment).parent
        headers = [folder / "model" / LIBRARY, LIB / "wire" / "src", *(LIB / n for n in ("encoder", "camera", "radio"))]
        arguments: list[str | Path] = ["-Wl,--gc-sections", *(f"-I{header}" for header in headers)]
        arguments += ["-Wl,--start-group", *sorted(folder.glob("lib*/lib*.a")), "-lm", "-Wl,--end-group"]
        build_program = native_program if environment == "native" else partial(build_with, environment)
        program = build_program("outputs_app.c", tmp_path, arguments)
    check_program(environment, program, load(bundle_path()))


def test_generate_needs_the_release_of_bakenn_whose_importer_it_uses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert importlib.metadata.version("bakenn") == tflite_graph.BAKENN, "check firmware/tools/tflite_graph.py"
    monkeypatch.setattr(tflite_graph, "BAKENN", "0.9.9")
    with pytest.raises(ModelError, match=r"an encoder with several outputs needs BakeNN 0\.9\.9, not 1\.0\.0"):
        generate(random_bundle.folder(), tmp_path, "portable")
    generate(random_bundle.folder(Heads(shallow=0, classes=0)), tmp_path, "portable")  # one output: any release


def test_import_leaves_bakenns_check_of_graphs_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    from bakenn.frontends.tflite import importer

    def build(_: object) -> None:
        raise ValueError("no such graph")

    verify = importer.verify_graph
    tflite_graph.encoder_graph(random_encoder(Heads()), 3)
    assert importer.verify_graph is verify
    monkeypatch.setattr(importer._Importer, "build", build)
    with pytest.raises(ValueError, match="no such graph"):
        tflite_graph.encoder_graph(random_encoder(Heads()), 3)
    assert importer.verify_graph is verify


def test_arena_holds_the_scratch_memory_where_it_is_free(tmp_path: Path) -> None:
    """The largest activations of the default trunk need no scratch memory."""
    generate(bundle_path(), tmp_path / "out", "cmsis_nn")
    manifest = json.loads((tmp_path / "out" / "bknn_inkling_manifest.json").read_text())
    header = (tmp_path / "out" / "bknn_inkling.h").read_text()
    (arena,) = map(int, re.findall(r"_ARENA_SIZE (\d+)u", header))
    assert manifest["scratch_bytes"] > 0
    assert manifest["activation_arena_bytes"] <= arena < manifest["arena_bytes"]
    source = (tmp_path / "out" / "bknn_inkling.c").read_text()
    for offset, size in re.findall(r"^ +\(void \*\)\(arena \+ (\d+)u\), (\d+),$", source, re.MULTILINE):
        assert int(offset) % scratch.ALIGNMENT == 0 and int(offset) + int(size) <= arena


def test_generate_refuses_sources_that_pass_scratch_memory_in_another_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scratch, "_SCRATCH", re.compile("no such line"))
    with pytest.raises(
        ModelError, match="this version of BakeNN passes scratch memory to its kernels in an unknown way"
    ):
        generate(bundle_path(), tmp_path, "cmsis_nn")


@pytest.mark.parametrize("engine", ["aot", "tflm"])
def test_generate_refuses_an_encoder_that_differs_from_the_manifest(tmp_path: Path, engine: str) -> None:
    bundle = load(random_bundle.write(tmp_path / "bundle"))
    other: dict[str, dict[str, Any]] = {
        "heads in another order": {"heads": bundle.heads[::-1]},
        "no answer head": {"answer": None, "class_count": 0},
        "another head": {"heads": ((8, 8, 4), (4, 4, 4))},
        "larger images": {"input_shape": (32, 16, 3)},
    }
    for fault, fields in other.items():
        changed = Bundle(**{**vars(bundle), **fields})
        with pytest.raises(ModelError, match=r"the encoder's (input|outputs): .* not .* as in bundle\.json"):
            write(changed, tmp_path / "out", engine)
        assert not (tmp_path / "out" / "inkling_model.h").exists(), fault


def write(bundle: Bundle, out: Path, engine: str) -> None:
    from firmware.tools.model import ENGINES

    out.mkdir(exist_ok=True)
    ENGINES[engine].write(bundle, out, "portable")


@pytest.mark.parametrize("engine", ["aot", "tflm"])
def test_generate_refuses_outputs_of_different_scales(tmp_path: Path, engine: str) -> None:
    bundle = load(random_bundle.write(tmp_path / "bundle"))
    bundle.encoder_path.write_bytes(random_encoder(Heads(), output=(0.04, 6), score_output=(0.05, 6)))
    with pytest.raises(ModelError, match="the encoder's outputs differ in scale or zero point"):
        write(bundle, tmp_path / "out", engine)


def test_generate_reports_a_damaged_encoder_in_one_line(tmp_path: Path) -> None:
    bundle = load(random_bundle.write(tmp_path / "bundle"))
    model = bytearray(random_encoder(Heads()))
    model[88:92] = b"\xff\xff\xff\x7f"  # an offset to a part that only BakeNN reads
    bundle.encoder_path.write_bytes(model)
    with pytest.raises(ModelError, match=r"^bundle .*: encoder\.tflite is damaged \(.*\)$"):
        write(bundle, tmp_path / "out", "aot")


@pytest.mark.parametrize("engine", ["aot", "tflm"])
def test_generate_knows_what_the_encoder_needs(tmp_path: Path, engine: str) -> None:
    generate(bundle_path(), tmp_path / "out", "cmsis_nn", engine)
    size = needs(tmp_path / "out")
    header = (tmp_path / "out" / "inkling_model.h").read_text()
    (arena,) = map(int, re.findall(r"INKLING_ARENA_BYTES (\d+)u", header))
    bundle = load(bundle_path())
    buffers = int(np.prod(bundle.input_shape)) + bundle.latent_size + bundle.class_count
    assert 0 <= size.ram_bytes - arena - buffers <= 256
    assert size.flash_bytes > bundle.encoder_path.stat().st_size * (1 if engine == "tflm" else 0.5)
    assert "nucleo_f446re" in fits(size.ram_bytes, size.flash_bytes).fitting
