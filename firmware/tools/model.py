"""A bundle's encoder as a C library for one build: the `aot` engine's network, kernels and tables.

BakeNN (PyPI, bakenn) compiles the int8 .tflite into plain C with static memory and the exact arithmetic of
TFLite's reference kernels; on Cortex-M4 it brings the CMSIS-NN kernels along. Next to that goes what the
application must know of the bundle: `inkling_model.h` and `inkling_model.c`.
"""

import hashlib
import json
import re
import shutil
import warnings
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

from wire.bundle import Bundle, BundleError, load
from wire.control import MAX_DATA, run_data

LIBRARY = "inkling_model"
KERNELS = ("portable", "cmsis_nn")
STAMP = "stamp.txt"
RUN_HEAD_BYTES = len(run_data(0, b""))
INPUT_ZERO_POINT = -128  # a pixel becomes int8 by subtracting 128, and nothing else


class ModelError(Exception):
    """A bundle cannot be built in; the message is one line that says why."""


def generate(bundle_path: str | Path, out: Path, kernels: str) -> bool:
    """Writes the library of the bundle's encoder to the folder `out`, unless it is there and still right.

    kernels: "portable" (any C compiler) or "cmsis_nn" (Cortex-M4). Returns whether anything was written.
    ModelError for a missing or broken bundle, one that the engine refuses, and a missing BakeNN.
    """
    if kernels not in KERNELS:
        raise ModelError(f"custom_kernels is one of {', '.join(KERNELS)}, not {kernels!r}")
    try:
        bundle = load(bundle_path)
        stamp = _stamp(bundle, kernels)
    except BundleError as error:
        raise ModelError(str(error)) from None
    except metadata.PackageNotFoundError:
        missing = "bakenn is not installed in PlatformIO's Python: pip install -r requirements.txt"
        raise ModelError(missing) from None
    if (out / STAMP).is_file() and (out / STAMP).read_text(encoding="utf-8") == stamp:
        return False
    height, width, channels = bundle.input_shape
    if RUN_HEAD_BYTES + height * width * channels > MAX_DATA:
        pictures = f"pictures of {height} x {width} x {channels}"
        raise ModelError(f"bundle {bundle.path}: {pictures} do not fit into a command of {MAX_DATA} bytes")
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    manifest = _compile(bundle, out, kernels)
    (out / "inkling_model.h").write_text(_header(bundle, manifest["arena_bytes"]), encoding="utf-8")
    (out / "inkling_model.c").write_text(_tables(bundle), encoding="utf-8")
    (out / "library.json").write_text(json.dumps(_library(kernels), indent=2), encoding="utf-8")
    (out / STAMP).write_text(stamp, encoding="utf-8")  # last: an interrupted run leaves none
    return True


def _stamp(bundle: Bundle, kernels: str) -> str:
    digest = hashlib.sha256(Path(__file__).read_bytes())
    digest.update((bundle.path / "bundle.json").read_bytes())
    digest.update(bundle.encoder_path.read_bytes())
    return f"{bundle.model_id} {kernels} bakenn {metadata.version('bakenn')} {digest.hexdigest()}\n"


def _compile(bundle: Bundle, out: Path, kernels: str) -> dict:
    """Runs BakeNN; returns its manifest, checked against the bundle's."""
    import bakenn  # slow, and needed only when something changed

    cmsis = kernels == "cmsis_nn"
    options = bakenn.CBackendOptions(
        kernel_policy=bakenn.KernelPolicy.STATIC_PRIORITY if cmsis else bakenn.KernelPolicy.PORTABLE,
        enable_cmsis_nn=cmsis,
        target=bakenn.CORTEX_M4 if cmsis else bakenn.PORTABLE_32,
    )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            bakenn.compile_tflite(str(bundle.encoder_path), out, name="inkling", backend_options=options)
    except (bakenn.BakeNNError, ImportError, OSError, ValueError) as error:
        raise ModelError(f"bundle {bundle.path}: {' '.join(str(error).split())}") from None
    manifest = json.loads((out / "bknn_inkling_manifest.json").read_text(encoding="utf-8"))
    for side, shape in (("input", bundle.input_shape), ("output", bundle.latent_shape)):
        found = manifest[side]["shape"]
        if found != [1, *shape]:
            said = [1, *shape]
            raise ModelError(f"bundle {bundle.path}: the encoder's {side} is {found}, bundle.json says {said}")
    zero_point = manifest["input"]["qparams"]["zero_point"]
    if zero_point != INPUT_ZERO_POINT:
        raise ModelError(f"bundle {bundle.path}: the encoder's input zero point is {zero_point}, not -128")
    return manifest


def _header(bundle: Bundle, arena_bytes: int) -> str:
    height, width, channels = bundle.input_shape
    latent_height, latent_width, latent_channels = bundle.latent_shape
    return f"""/* Generated from bundle {_plain(bundle.name)}. */
#ifndef INKLING_MODEL_H
#define INKLING_MODEL_H

#include "wire/payload.h"

#define INKLING_HEIGHT {height}u
#define INKLING_WIDTH {width}u
#define INKLING_CHANNELS {channels}u
#define INKLING_INPUT_BYTES {height * width * channels}u
#define INKLING_LATENT_BYTES {latent_height * latent_width * latent_channels}u
#define INKLING_ARENA_BYTES {arena_bytes}u
#define INKLING_SYMBOLS {len(bundle.symbol_order)}u
#define INKLING_BITS_PER_SYMBOL {bundle.bits_per_symbol}u

extern const struct wire_model inkling_model;

#endif
"""


def _tables(bundle: Bundle) -> str:
    chunks = (f"{{{first}u, {count}u}}" for first, count in bundle.chunks)
    return f"""/* Generated from bundle {_plain(bundle.name)}. */
#include "inkling_model.h"

static const uint8_t symbol_table[256] = {{
{_rows(str(level) for level in bundle.symbol_table)}
}};

static const uint16_t symbol_order[INKLING_SYMBOLS] = {{
{_rows(str(position) for position in bundle.symbol_order)}
}};

static const struct wire_chunk chunks[] = {{
{_rows(chunks)}
}};

const struct wire_model inkling_model = {{
    .number = 0x{bundle.model_id}u,
    .symbol_table = symbol_table,
    .symbol_order = symbol_order,
    .chunks = chunks,
    .chunk_count = {len(bundle.chunks)}u,
    .bits_per_symbol = INKLING_BITS_PER_SYMBOL,
}};
"""


def _plain(name: str) -> str:
    """A bundle's name, fit for a comment in C whatever is in it."""
    return re.sub(r"[^\w .-]", "_", name)


def _rows(items: Iterable[str]) -> str:
    texts = list(items)
    return "\n".join("    " + ", ".join(texts[i : i + 16]) + "," for i in range(0, len(texts), 16))


def _library(kernels: str) -> dict:
    flags = ["-w"]  # generated and third-party code: its warnings are not ours
    if kernels == "cmsis_nn":
        flags += ["-Ithird_party/cmsis_nn/Include", "-Ithird_party/cmsis_core/Include"]
        flags += ["-DBAKENN_CMSIS_NN_BUILTIN_MEMORY"]
    return {
        "name": LIBRARY,
        "version": "1.0.0",
        "build": {"srcDir": ".", "includeDir": ".", "flags": flags},
    }
