"""Engine tflm with a fake of TensorFlow Lite Micro: the order of its outputs, and the checks of its tensors."""

import subprocess
from ctypes import CDLL, POINTER, c_int, c_int8
from pathlib import Path

import numpy as np
import pytest

from firmware.tools.model import generate
from tests.firmware import random_bundle
from tests.firmware.encoders import Heads
from tests.firmware.ports import mock_arduino
from tests.support import ROOT
from wire.bundle import load
from wire.control import ErrorCode

LIB = ROOT / "firmware" / "lib"
MACHINE = ROOT / "tests" / "firmware" / "c" / "tflm_machine.cpp"
OUTPUT_FAULTS = {"height": 1, "channels": 2, "type": 3, "zero point": 4, "batch": 5}
OTHER_FAULTS = {"more outputs": 6, "fewer outputs": 7, "the input's width": 8}
ROW = 9  # no fault: an output of a fully connected layer


class Engine:
    """The engine as a shared library, for a bundle of random weights."""

    def __init__(self, heads: Heads, folder: Path) -> None:
        self.bundle = load(random_bundle.folder(heads))
        model = folder / "model"
        generate(self.bundle.path, model, "portable", "tflm")
        places = [model, LIB / "encoder", LIB / "wire" / "src", mock_arduino.MOCKS / "tflm"]
        common = ["-fPIC", "-Wall", "-Wextra", "-Werror", "-Wno-pedantic", *(f"-I{place}" for place in places)]
        objects = [folder / f"{n}.o" for n in range(4)]
        sources = [model / "inkling_model.c", model / "inkling_model_tflite.c", LIB / "encoder" / "tables.c"]
        sources.append(LIB / "wire" / "src" / "wire" / "crc.c")
        for source, output in zip(sources, objects, strict=True):
            subprocess.run(["gcc", "-std=c11", *common, "-c", source, "-o", output], check=True)
        cpp = [LIB / "encoder" / "tflm.cpp", MACHINE, *objects]
        subprocess.run(["g++", "-std=c++17", *common, "-shared", *cpp, "-o", folder / "engine.so"], check=True)
        self.c = CDLL(str(folder / "engine.so"))
        self.c.encoder_input.restype = self.c.encoder_run.restype = POINTER(c_int8)

    def set(self, **values: int) -> None:
        for name, value in values.items():
            c_int.in_dll(self.c, f"machine_{name}").value = value


@pytest.mark.parametrize("heads", [Heads(), Heads(pooled=7, classes=100), Heads(0, 0, 0, 10), Heads(classes=0)])
def test_run_gives_all_outputs_one_after_the_other(tmp_path: Path, heads: Heads) -> None:
    engine = Engine(heads, tmp_path)
    assert not engine.c.encoder_run(), "not started"
    assert engine.c.encoder_start() == 0
    engine.c.encoder_input()[0] = 77
    sizes = [int(np.prod(shape)) for shape in (*engine.bundle.heads, *([[heads.classes]] if heads.classes else []))]
    expected = np.repeat(np.arange(1, len(sizes) + 1), sizes)
    expected[0] = 77
    assert engine.c.encoder_run()[: sum(sizes)] == expected.tolist()
    assert engine.c.encoder_arena_bytes() == 1234 < engine.c.encoder_ram_bytes()


def test_start_refuses_tensors_that_differ_from_the_bundle(tmp_path: Path) -> None:
    engine = Engine(Heads(), tmp_path)
    for fault, number in (OUTPUT_FAULTS | OTHER_FAULTS).items():
        for output in range(3 if fault in OUTPUT_FAULTS else 1):
            engine.set(fault=number, faulty_output=output)
            assert engine.c.encoder_start() == ErrorCode.MODEL_SHAPE, (fault, output)
            assert not engine.c.encoder_run()
    engine.set(fault=0)
    assert engine.c.encoder_start() == 0
    assert c_int.in_dll(engine.c, "machine_runs").value == 0


def test_start_accepts_scores_as_a_row(tmp_path: Path) -> None:
    engine = Engine(Heads(), tmp_path)
    engine.set(fault=ROW, faulty_output=2)
    assert engine.c.encoder_start() == 0
    engine.set(faulty_output=0)
    assert engine.c.encoder_start() == ErrorCode.MODEL_SHAPE, "a head of several positions"
