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

import numpy as np

from firmware.tools.model_common import (
    ModelError,
    Needs,
    Written,
    header,
    input_bytes,
    output_bytes,
    rows,
    table_bytes,
)
from firmware.tools.network import read_network
from firmware.tools.tflite_graph import NAME, encoder_graph
from wire.bundle import Bundle

PACKAGE = "bakenn"
WEIGHTS = "bknn_inkling_weights"
CMSIS_FLAGS = [
    "-Ithird_party/cmsis_nn/Include",
    "-Ithird_party/cmsis_core/Include",
    "-DBAKENN_CMSIS_NN_BUILTIN_MEMORY",
]
_ARRAY = re.compile(r"const (int8_t|int32_t) bknn_inkling_(\w+)\[\d+\] = \{([^}]*)\};")
_WORD = 4  # bytes; kernels read weights by words
CODE_BYTES = 16_000  # kernels, their calls and the glue: up to 14 kB on Cortex-M4, 6 kB on RV32IMC


def write(bundle: Bundle, out: Path, kernels: str) -> Written:
    """Write inkling_model.h and the network to the folder `out`."""
    manifest = _compile(bundle, out, kernels)
    crc32 = _join_weights(out)
    (out / "inkling_model.h").write_text(header(bundle, manifest["arena_bytes"], crc32), encoding="utf-8")
    ram_bytes = manifest["arena_bytes"] + input_bytes(bundle) + output_bytes(bundle)
    flash_bytes = manifest["constant_bytes"] + table_bytes(bundle) + CODE_BYTES
    return Written(CMSIS_FLAGS if kernels == "cmsis_nn" else [], Needs(ram_bytes, flash_bytes))


def _compile(bundle: Bundle, out: Path, kernels: str) -> dict:
    """Run BakeNN and return its manifest."""
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
            graph = encoder_graph(bundle.encoder_path.read_bytes(), len(network.outputs))
            bakenn.compile(graph, out, model_name=NAME, backend_options=options)
    except (bakenn.BakeNNError, ImportError, OSError, ValueError) as error:
        raise ModelError(f"bundle {bundle.path}: {' '.join(str(error).split())}") from None
    return json.loads((out / "bknn_inkling_manifest.json").read_text(encoding="utf-8"))


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
