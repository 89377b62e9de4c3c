"""Generate a bundle's encoder as a C library for one build, with either engine."""

import hashlib
import json
import shutil
from dataclasses import asdict
from importlib import metadata
from pathlib import Path

from firmware.tools import model_aot, model_common, model_tflm, network, scratch, tflite_graph
from firmware.tools.model_common import ModelError, Needs
from wire.bundle import Bundle, BundleError, load
from wire.control import MAX_DATA, run_data
from wire.errors import install_hint

LIBRARY = "inkling_model"
ENGINES = {"aot": model_aot, "tflm": model_tflm}
KERNELS = ("portable", "cmsis_nn")
STAMP = "stamp.txt"
NEEDS = "needs.json"
RUN_HEAD_BYTES = len(run_data(0, b""))

__all__ = ["ENGINES", "KERNELS", "LIBRARY", "ModelError", "Needs", "generate", "needs"]


def generate(bundle_path: str | Path, out: Path, kernels: str, engine: str = "aot") -> bool:
    """Write the library of the bundle's encoder to the folder `out` if it is missing or out of date.

    `engine` is "aot" or "tflm"; `kernels` are those of aot: "portable" (any C compiler) or "cmsis_nn" (Cortex-M4).
    Returns True if the library was written. Raises ModelError if the bundle is missing or broken, if the engine
    refuses it, or if a package is missing.
    """
    if engine not in ENGINES:
        raise ModelError(f"custom_engine is one of {', '.join(ENGINES)}, not {engine!r}")
    if kernels not in KERNELS:
        raise ModelError(f"custom_kernels is one of {', '.join(KERNELS)}, not {kernels!r}")
    try:
        bundle = load(bundle_path)
        stamp = _stamp(bundle, engine, kernels)
    except BundleError as error:
        raise ModelError(str(error)) from None
    except metadata.PackageNotFoundError:
        package = ENGINES[engine].PACKAGE
        raise ModelError(f"{package} is not installed in PlatformIO's Python; {install_hint('firmware')}") from None
    if (out / STAMP).is_file() and (out / STAMP).read_text(encoding="utf-8") == stamp:
        return False
    if RUN_HEAD_BYTES + model_common.input_bytes(bundle) > MAX_DATA:
        height, width, channels = bundle.input_shape
        images = f"images of {height} x {width} x {channels}"
        raise ModelError(f"bundle {bundle.path}: {images} do not fit into a command of {MAX_DATA} bytes")
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    written = ENGINES[engine].write(bundle, out, kernels)
    (out / "inkling_model.c").write_text(model_common.tables(bundle), encoding="utf-8")
    (out / "library.json").write_text(json.dumps(_library(written.flags), indent=2), encoding="utf-8")
    (out / NEEDS).write_text(json.dumps(asdict(written.needs)), encoding="utf-8")
    (out / STAMP).write_text(stamp, encoding="utf-8")  # last, so that an interrupted run leaves no stamp
    return True


def needs(out: Path) -> Needs:
    """Return what the encoder of a generated library needs of a board."""
    return Needs(**json.loads((out / NEEDS).read_text(encoding="utf-8")))


def _stamp(bundle: Bundle, engine: str, kernels: str) -> str:
    digest = hashlib.sha256()
    modules = (model_common, network, scratch, tflite_graph, ENGINES[engine])
    generators = (Path(__file__), *(Path(str(module.__file__)) for module in modules))
    for file in (*generators, bundle.path / "bundle.json", bundle.encoder_path):
        digest.update(file.read_bytes())
    package = ENGINES[engine].PACKAGE
    return f"{bundle.model_id} {engine} {kernels} {package} {metadata.version(package)} {digest.hexdigest()}\n"


def _library(flags: list[str]) -> dict:
    return {
        "name": LIBRARY,
        "version": "1.0.0",
        "build": {"srcDir": ".", "includeDir": ".", "flags": ["-w", *flags]},  # no warnings: generated
    }
