"""The optimized ADD kernel against the one of BakeNN that it replaces, on random tensors and scales."""

import ctypes
import subprocess
from pathlib import Path

import numpy as np
import pytest

from firmware.tools.model import generate
from tests.support import ROOT
from tests.support.firmware import bundle_path

ADD = ROOT / "firmware" / "lib" / "encoder" / "aot_add.c"
SIZES = [ctypes.c_size_t] * 12
SCALARS = [ctypes.c_int32] * 11


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    folder = tmp_path_factory.mktemp("add")
    generate(bundle_path(), folder / "model", "portable")
    sources = [ADD, folder / "model" / "bknn_inkling_kernels.c"]
    command: list[str | Path] = ["gcc", "-std=c11", "-O2", "-fwrapv", "-shared", "-fPIC", *sources]
    command += ["-o", folder / "add.so"]
    subprocess.run(command, check=True)
    return ctypes.CDLL(str(folder / "add.so"))


def add(library: ctypes.CDLL, name: str, a: np.ndarray, b: np.ndarray, strides: list[int], scalars: list[int]) -> bytes:
    function = getattr(library, name)
    function.restype = None
    function.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, *SIZES, *SCALARS]
    output = ctypes.create_string_buffer(a.size)
    function(a.tobytes(), b.tobytes(), output, *a.shape, *strides, *scalars)
    return output.raw


def quantized_multiplier(real: float) -> tuple[int, int]:
    """Return multiplier and shift with real = multiplier / 2^31 * 2^shift, as TFLite's QuantizeMultiplier does."""
    mantissa, shift = np.frexp(real)
    multiplier = round(float(mantissa) * (1 << 31))
    return (multiplier // 2, int(shift) + 1) if multiplier == 1 << 31 else (multiplier, int(shift))


def random_scalars(rng: np.random.Generator) -> list[int]:
    """Return the scalar arguments of an ADD as TFLite computes them from three tensors' scales (kernels/add.cc)."""
    a, b = 2.0 ** rng.uniform(-4, 4, size=2)
    if rng.random() < 0.3:
        b = a
    twice = 2 * max(a, b)
    zeros = [int(z) for z in rng.integers(-128, 128, size=3)]
    scales = [*quantized_multiplier(a / twice), *quantized_multiplier(b / twice)]
    out = twice * 2.0 ** rng.uniform(-5, 1)
    return [*zeros, *scales, *quantized_multiplier(twice / ((1 << 20) * out)), -128, 127]


@pytest.mark.parametrize("seed", range(40))
def test_add_equals_bakenns_add(library: ctypes.CDLL, seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape = (1, int(rng.integers(1, 5)), int(rng.integers(1, 5)), int(rng.integers(1, 300)))
    a, b = (rng.integers(-128, 128, size=shape).astype(np.int8) for _ in range(2))
    dense = [shape[1] * shape[2] * shape[3], shape[2] * shape[3], shape[3], 1]
    second = [0, 0, 0, 1] if seed % 4 == 0 else dense  # a stride of 0 broadcasts one row
    scalars = random_scalars(rng)
    expected = add(library, "bknn_inkling_add_s8", a, b, dense + second, scalars)
    assert add(library, "__wrap_bknn_inkling_add_s8", a, b, dense + second, scalars) == expected
    assert len(set(expected)) > 1
