"""The network of the engine `tflm`: the bundle's encoder.tflite unchanged, and what TFLite Micro needs to run it.

That is the list of operators to register, the arena size, and the shapes and zero points of input and outputs.
"""

import zlib
from pathlib import Path

from firmware.tools.model_common import ModelError, Needs, Written, header, rows
from firmware.tools.network import Network, output_shapes, read_network
from wire.bundle import Bundle

PACKAGE = "tflite"
ARENA_ALIGNMENT = 16
# bundle.json's arena_bytes is what TFLM's interpreter used on a 64-bit machine with its reference kernels. On 32-bit
# machines structures are smaller, but optimized kernels need scratch memory.
ARENA_MARGIN = 1 / 8
OBJECT_BYTES = 256  # interpreter and resolver, on a 32-bit machine
MAX_ARENA_BYTES = 1 << 30  # with the margin, it still has a size of 32 bits
LIBRARY_BYTES = 72_000  # TFLM and its kernels: 68 kB with CMSIS-NN on Cortex-M4


def write(bundle: Bundle, out: Path, kernels: str) -> Written:
    """Write inkling_model.h, the model and its operators to the folder `out`.

    It needs no compiler flags, whatever the kernels: the TFLM library brings its own.
    """
    network = read_network(bundle)
    _check_ops(bundle, network)
    model = bundle.encoder_path.read_bytes()
    arena_bytes = _arena_bytes(bundle)
    text = header(bundle, arena_bytes, zlib.crc32(model), _lines(network, len(model)))
    (out / "inkling_model.h").write_text(text, encoding="utf-8")
    (out / "inkling_model_tflite.c").write_text(_array(model, bundle), encoding="utf-8")
    (out / "inkling_model_ops.h").write_text(_operators(sorted(set(network.ops))), encoding="utf-8")
    return Written([], Needs.of(bundle, arena_bytes + OBJECT_BYTES, len(model) + LIBRARY_BYTES))


def _lines(network: Network, model_bytes: int) -> str:
    """Return the definitions in inkling_model.h that only this engine needs."""
    return f"""
#define INKLING_MODEL_BYTES {model_bytes}u
#define INKLING_INPUT_ZERO_POINT ({network.input.zero_point})
#define INKLING_OUTPUT_ZERO_POINT ({network.outputs[0].zero_point})
#define INKLING_OUTPUT_COUNT {len(network.outputs)}u

struct inkling_shape {{
    uint16_t height;
    uint16_t width;
    uint16_t channels;
}};

extern const struct inkling_shape inkling_output_shapes[INKLING_OUTPUT_COUNT];
extern const unsigned char inkling_model_tflite[INKLING_MODEL_BYTES];
"""


def _check_ops(bundle: Bundle, network: Network) -> None:
    unknown = set(_manifest_ops(bundle)) ^ set(network.ops)
    if unknown:
        raise ModelError(f"bundle {bundle.path}: encoder.tflite and bundle.json differ in {', '.join(sorted(unknown))}")


def _manifest_ops(bundle: Bundle) -> list[str]:
    ops = bundle.manifest.get("ops")
    if not isinstance(ops, list) or not all(isinstance(op, str) for op in ops):
        raise ModelError(f"bundle {bundle.path}: bundle.json's ops is not a list of strings, which tflm needs")
    return ops


def _arena_bytes(bundle: Bundle) -> int:
    counted = bundle.manifest.get("arena_bytes")
    if type(counted) is not int or not 0 < counted <= MAX_ARENA_BYTES:
        allowed = f"a number of bytes, 1..{MAX_ARENA_BYTES}"
        raise ModelError(f"bundle {bundle.path}: bundle.json's arena_bytes is not {allowed}, which tflm needs")
    return -(-int(counted * (1 + ARENA_MARGIN)) // ARENA_ALIGNMENT) * ARENA_ALIGNMENT


def _array(model: bytes, bundle: Bundle) -> str:
    shapes = ("{" + ", ".join(f"{size}u" for size in shape) + "}" for shape in output_shapes(bundle))
    return f"""#include <stdalign.h>

#include "inkling_model.h"

alignas(16) const unsigned char inkling_model_tflite[INKLING_MODEL_BYTES] = {{
{rows(model)}
}};

const struct inkling_shape inkling_output_shapes[INKLING_OUTPUT_COUNT] = {{
{rows(shapes)}
}};
"""


def _operators(ops: list[str]) -> str:
    lines = "\n".join(f"           resolver.Add{_camel(op)}() == kTfLiteOk &&" for op in ops)
    return f"""#ifndef INKLING_MODEL_OPS_H
#define INKLING_MODEL_OPS_H

#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"

using InklingOpResolver = tflite::MicroMutableOpResolver<{len(ops)}>;

/* Registers the operators that the model needs; false if that fails. */
inline bool inkling_add_ops(InklingOpResolver &resolver) {{
    return {lines.strip().removesuffix(" &&")};
}}

#endif
"""


def _camel(op: str) -> str:
    """Convert an operator's name to TFLM's spelling: DEPTHWISE_CONV_2D -> DepthwiseConv2D."""
    return "".join(word.upper() if word[0].isdigit() else word.capitalize() for word in op.split("_"))
