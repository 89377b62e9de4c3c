"""The `aot` engine's network: BakeNN (PyPI, bakenn) compiles the int8 .tflite into plain C.

Static memory, and the exact arithmetic of TFLite's reference kernels; on Cortex-M4 it brings the CMSIS-NN kernels
along.
"""

import json
import warnings
from pathlib import Path

from firmware.tools.model_common import ModelError, check_encoder, header
from wire.bundle import Bundle

PACKAGE = "bakenn"


def write(bundle: Bundle, out: Path, kernels: str) -> list[str]:
    """Writes inkling_model.h and the network to the folder `out`; returns the compiler flags that it needs."""
    manifest = _compile(bundle, out, kernels)
    (out / "inkling_model.h").write_text(header(bundle, "aot", manifest["arena_bytes"], 0), encoding="utf-8")
    if kernels != "cmsis_nn":
        return []
    includes = ["-Ithird_party/cmsis_nn/Include", "-Ithird_party/cmsis_core/Include"]
    return [*includes, "-DBAKENN_CMSIS_NN_BUILTIN_MEMORY"]


def _compile(bundle: Bundle, out: Path, kernels: str) -> dict:
    """Runs BakeNN; returns its manifest, checked against the bundle's."""
    import bakenn  # slow, and needed only when something changed

    cmsis = kernels == "cmsis_nn"
    options = bakenn.CBackendOptions(
        # Of all kernels that fit a layer, the one that BakeNN puts first. KernelPolicy.PORTABLE would take plain C for
        # any shape instead of plain C for this one, which takes 1.6 times the instructions on RV32IMC.
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
