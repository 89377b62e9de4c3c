"""The network of the engine `aot`: BakeNN (PyPI, bakenn) compiles the int8 .tflite into plain C.

It uses static memory and the exact arithmetic of TFLite's reference kernels, and includes the CMSIS-NN kernels on
Cortex-M4.
"""

import json
import re
import warnings
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from firmware.tools import scratch
from firmware.tools.model_common import ModelError, Needs, Written, header, rows
from firmware.tools.network import DAMAGED, read_network
from firmware.tools.tflite_graph import NAME, encoder_graph
from wire.bundle import Bundle

if TYPE_CHECKING:
    from bakenn.ir import QuantizedGraph

PACKAGE = "bakenn"
WEIGHTS = "bknn_inkling_weights"
CMSIS_FLAGS = [
    "-Ithird_party/cmsis_nn/Include",
    "-Ithird_party/cmsis_core/Include",
    "-DBAKENN_CMSIS_NN_BUILTIN_MEMORY",
]
UNUSED_KERNEL = "arm_depthwise_conv_s8"
UNUSED_KERNEL_SOURCE = """\
/* Generated. All depthwise layers have one output per input channel and no dilation: other kernels run them. */
#include "arm_nnfunctions.h"

#ifndef ARM_MATH_DSP
#error "this kernel is needed where there are no DSP instructions: set custom_kernels = portable"
#endif

arm_cmsis_nn_status arm_depthwise_conv_s8(const cmsis_nn_context *ctx, const cmsis_nn_dw_conv_params *dw_conv_params,
                                          const cmsis_nn_per_channel_quant_params *quant_params,
                                          const cmsis_nn_dims *input_dims, const int8_t *input,
                                          const cmsis_nn_dims *filter_dims, const int8_t *kernel,
                                          const cmsis_nn_dims *bias_dims, const int32_t *bias,
                                          const cmsis_nn_dims *output_dims, int8_t *output) {
    return ARM_CMSIS_NN_ARG_ERROR;
}
"""
_ARRAY = re.compile(r"const (int8_t|int32_t) bknn_inkling_(\w+)\[\d+\] = \{([^}]*)\};")
_WORD = 4  # bytes; kernels read weights by words
CODE_BYTES = 16_000  # kernels, their calls and the glue: up to 14 kB on Cortex-M4, 6 kB on RV32IMC


def write(bundle: Bundle, out: Path, kernels: str) -> Written:
    """Write inkling_model.h and the network to the folder `out`."""
    manifest, arena_bytes = _compile(bundle, out, kernels)
    if kernels == "cmsis_nn":
        _drop_unused_kernel(out, manifest)
    crc32 = _join_weights(out)
    (out / "inkling_model.h").write_text(header(bundle, arena_bytes, crc32), encoding="utf-8")
    needs = Needs.of(bundle, arena_bytes, manifest["constant_bytes"] + CODE_BYTES)
    return Written(CMSIS_FLAGS if kernels == "cmsis_nn" else [], needs)


def _compile(bundle: Bundle, out: Path, kernels: str) -> tuple[dict, int]:
    """Run BakeNN; return its manifest and the size of the arena in bytes, which is not the manifest's."""
    import bakenn  # slow to import, and needed only when something changed

    network = read_network(bundle)
    cmsis = kernels == "cmsis_nn"
    options = bakenn.CBackendOptions(
        # The first of BakeNN's kernels that fit a layer. KernelPolicy.PORTABLE takes generic C instead of C
        # specialised for the layer's shape: 1.6 times the instructions on RV32IMC.
        kernel_policy=bakenn.KernelPolicy.STATIC_PRIORITY,
        enable_cmsis_nn=cmsis,
        target=bakenn.CORTEX_M4 if cmsis else bakenn.PORTABLE_32,
    )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            graph = _graph(bundle, len(network.outputs))
            arena_bytes = scratch.pack(bakenn.compile(graph, out, model_name=NAME, backend_options=options))
    except (bakenn.BakeNNError, ImportError, OSError, ValueError) as error:
        raise ModelError(f"bundle {bundle.path}: {' '.join(str(error).split())}") from None
    return json.loads((out / "bknn_inkling_manifest.json").read_text(encoding="utf-8")), arena_bytes


def _graph(bundle: Bundle, output_count: int) -> "QuantizedGraph":
    try:
        return encoder_graph(bundle.encoder_path.read_bytes(), output_count)
    except DAMAGED as error:
        raise ModelError(f"bundle {bundle.path}: encoder.tflite is damaged ({error})") from None


def _drop_unused_kernel(out: Path, manifest: dict) -> None:
    """Replace CMSIS-NN's general depthwise kernel, 2 kB, by an error where no layer can reach it.

    The linker keeps it because CMSIS-NN chooses among its depthwise kernels at run time.
    """
    depthwise = [operation for operation in manifest["operations"] if "depth_multiplier" in operation]
    if any(operation["depth_multiplier"] != 1 or operation["dilation"] != [1, 1] for operation in depthwise):
        return
    for file in out.rglob(f"{UNUSED_KERNEL}.c"):
        file.write_text(UNUSED_KERNEL_SOURCE, encoding="utf-8")


@dataclass(frozen=True)
class Array:
    """One of BakeNN's constants, padded to whole words."""

    type: str
    name: str
    values: np.ndarray

    @property
    def member(self) -> str:
        return f"    {self.type} {self.name}[{self.values.size}];"


def _join_weights(out: Path) -> int:
    """Move BakeNN's constants into one structure, so that the board checks all of them with one CRC-32; return it."""
    arrays = _arrays((out / f"{WEIGHTS}.c").read_text(encoding="utf-8"))
    names = "\n".join(f"#define bknn_inkling_{array.name} inkling_weights.{array.name}" for array in arrays)
    members = "\n".join(array.member for array in arrays)
    (out / f"{WEIGHTS}.h").write_text(
        f"""#ifndef INKLING_WEIGHTS_H
#define INKLING_WEIGHTS_H

#include <stdint.h>

/* All trained parameters, without padding. */
struct inkling_weights {{
{members}
}};

extern const struct inkling_weights inkling_weights;

{names}

#endif
""",
        encoding="utf-8",
    )
    values = "\n".join(f"    .{array.name} = {{\n{rows(array.values)}\n    }}," for array in arrays)
    definition = f"const struct inkling_weights inkling_weights = {{\n{values}\n}};\n"
    (out / f"{WEIGHTS}.c").write_text(f'#include "{WEIGHTS}.h"\n\n{definition}', encoding="utf-8")
    return zlib.crc32(b"".join(array.values.tobytes() for array in arrays))


def _arrays(text: str) -> list[Array]:
    """Return BakeNN's constants, words before bytes."""
    arrays = []
    for kind, name, body in _ARRAY.findall(text):
        values = np.array([int(value) for value in body.split(",")], "<i4" if kind == "int32_t" else "i1")
        padding = -values.nbytes % _WORD
        arrays.append(Array(kind, name, np.pad(values, (0, padding))))
    if len(arrays) != text.count("[") or not arrays:
        raise ModelError("this version of BakeNN writes its constants in an unknown format")
    return sorted(arrays, key=lambda array: array.type)
