"""The network of the engine `tflm`: the bundle's encoder.tflite unchanged, and what TFLite Micro needs to run it.

That is the list of operators to register, the arena size, and the shape and zero point of input and output.
"""

import struct
import zlib
from pathlib import Path

from firmware.tools.model_common import ModelError, check_encoder, header, rows
from wire.bundle import Bundle

PACKAGE = "tflite"
ARENA_ALIGNMENT = 16
# bundle.json's arena_bytes is what TFLM's interpreter used on a 64-bit machine with its reference kernels. On 32-bit
# machines structures are smaller, but optimized kernels need scratch memory.
ARENA_MARGIN = 1 / 8


def write(bundle: Bundle, out: Path, kernels: str) -> list[str]:
    """Write inkling_model.h, the model and its operators to the folder `out`.

    Returns no compiler flags: the TFLM library brings its own kernels.
    """
    model = bundle.encoder_path.read_bytes()
    ops, lines = _inspect(bundle, model)
    text = header(bundle, _arena_bytes(bundle), zlib.crc32(model), lines)
    (out / "inkling_model.h").write_text(text, encoding="utf-8")
    (out / "inkling_model_tflite.c").write_text(_array(model), encoding="utf-8")
    (out / "inkling_model_ops.h").write_text(_operators(ops), encoding="utf-8")
    return []


def _inspect(bundle: Bundle, model: bytes) -> tuple[list[str], str]:
    """Return the sorted names of the operators and the header's lines for this engine."""
    import tflite  # installed: the stamp contains its version

    names = {v: k for k, v in vars(tflite.BuiltinOperator).items() if isinstance(v, int)}
    try:
        parsed = tflite.Model.GetRootAs(model, 0)
        graph = parsed.Subgraphs(0)
        codes = [parsed.OperatorCodes(i) for i in range(parsed.OperatorCodesLength())]
        # Codes below 127 may be in the older field only.
        ops = [names[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())] for code in codes]
        tensors = [graph.Tensors(graph.Inputs(0)), graph.Tensors(graph.Outputs(0))]
        shapes = [[int(size) for size in tensor.ShapeAsNumpy()] for tensor in tensors]
        zeros = [int(tensor.Quantization().ZeroPoint(0)) for tensor in tensors]
        types = [tensor.Type() for tensor in tensors]
    except (AttributeError, IndexError, KeyError, TypeError, ValueError, struct.error) as error:
        raise ModelError(f"bundle {bundle.path}: encoder.tflite is not a .tflite file ({error})") from None
    if types != [tflite.TensorType.INT8] * 2:
        raise ModelError(f"bundle {bundle.path}: the encoder's input and output are not both int8")
    check_encoder(bundle, shapes[0], shapes[1], zeros[0])
    unknown = set(_manifest_ops(bundle)) ^ set(ops)
    if unknown:
        raise ModelError(f"bundle {bundle.path}: encoder.tflite and bundle.json differ in {', '.join(sorted(unknown))}")
    lines = f"""
#define INKLING_MODEL_BYTES {len(model)}u
#define INKLING_INPUT_ZERO_POINT ({zeros[0]})
#define INKLING_LATENT_ZERO_POINT ({zeros[1]})

extern const unsigned char inkling_model_tflite[INKLING_MODEL_BYTES];
"""
    return sorted(set(ops)), lines


def _manifest_ops(bundle: Bundle) -> list[str]:
    ops = bundle.manifest.get("ops")
    if not isinstance(ops, list) or not all(isinstance(op, str) for op in ops):
        raise ModelError(f"bundle {bundle.path}: bundle.json's ops is not a list of strings, which tflm needs")
    return ops


def _arena_bytes(bundle: Bundle) -> int:
    counted = bundle.manifest.get("arena_bytes")
    if type(counted) is not int or counted <= 0:
        raise ModelError(f"bundle {bundle.path}: bundle.json's arena_bytes is not a positive number, which tflm needs")
    return -(-int(counted * (1 + ARENA_MARGIN)) // ARENA_ALIGNMENT) * ARENA_ALIGNMENT


def _array(model: bytes) -> str:
    return f"""#include <stdalign.h>

#include "inkling_model.h"

alignas(16) const unsigned char inkling_model_tflite[INKLING_MODEL_BYTES] = {{
{rows(model)}
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
