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

from firmware.tools.model_common import ModelError, check_encoder, header, rows
from wire.bundle import Bundle

PACKAGE = "bakenn"
WEIGHTS = "bknn_inkling_weights"
_ARRAY = re.compile(r"const (int8_t|int32_t) bknn_inkling_(\w+)\[\d+\] = \{([^}]*)\};")
_WORD = 4  # bytes; kernels read weights by words


def write(bundle: Bundle, out: Path, kernels: str) -> list[str]:
    """Write inkling_model.h and the network to the folder `out`; return the compiler flags that it needs."""
    manifest = _compile(bundle, out, kernels)
    crc32 = _join_weights(out)
    (out / "inkling_model.h").write_text(header(bundle, manifest["arena_bytes"], crc32), encoding="utf-8")
    if kernels != "cmsis_nn":
        return []
    includes = ["-Ithird_party/cmsis_nn/Include", "-Ithird_party/cmsis_core/Include"]
    return [*includes, "-DBAKENN_CMSIS_NN_BUILTIN_MEMORY"]


def _compile(bundle: Bundle, out: Path, kernels: str) -> dict:
    """Run BakeNN and return its manifest, checked against the bundle's."""
    import bakenn  # slow to import, and needed only when something changed

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
            bakenn.compile_tflite(str(bundle.encoder_path), out, name="inkling", backend_options=options)
    except (bakenn.BakeNNError, ImportError, OSError, ValueError) as error:
        raise ModelError(f"bundle {bundle.path}: {' '.join(str(error).split())}") from None
    manifest = json.loads((out / "bknn_inkling_manifest.json").read_text(encoding="utf-8"))
    network_input, network_output = manifest["input"], manifest["output"]
    zero_point = network_input["qparams"]["zero_point"]
    check_encoder(bundle, network_input["shape"], network_output["shape"], zero_point)
    return manifest


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
