"""PlatformIO pre-build script: generates the model's library from the bundle and selects the engine."""

import os
import sys
from pathlib import Path

from SCons.Script import DefaultEnvironment

env = DefaultEnvironment()
root = Path(env.subst("$PROJECT_DIR"))
sys.path.insert(0, str(root))


def model_library(engine: str) -> Path:
    """Return the folder that holds the library, generated if it is out of date. Ends the build on an error."""
    from wire.errors import install_hint

    try:
        from firmware.tools.boards import fits, is_too_small
        from firmware.tools.model import LIBRARY, ModelError, generate, needs
    except ImportError as error:
        stop(f"{error.name} is not installed in PlatformIO's Python; {install_hint('firmware')}")
    bundle = root / (os.environ.get("INKLING_BUNDLE") or env.GetProjectOption("custom_bundle"))
    libraries = Path(env.subst("$BUILD_DIR")) / "model"
    try:
        if generate(bundle, libraries / LIBRARY, env.GetProjectOption("custom_kernels"), engine):
            print(f"Generated the encoder's C code from {bundle}")
    except ModelError as error:
        stop(str(error))
    sizes = needs(libraries / LIBRARY)
    if is_too_small(env.subst("$PIOENV"), sizes.ram_bytes, sizes.flash_bytes):  # an estimate: the linker decides
        print_line(f"the encoder of {bundle}, engine {engine}, {fits(sizes.ram_bytes, sizes.flash_bytes)}")
    return libraries


def stop(message: str) -> None:
    """End the build with one line."""
    print_line(message)
    env.Exit(1)


def print_line(message: str) -> None:
    """Print a line that our tools show if the build fails."""
    sys.stderr.write(f"inkling: {message}\n")


chosen = os.environ.get("INKLING_ENGINE") or env.GetProjectOption("custom_engine")
env["INKLING_ENGINE"] = chosen  # selects the sources in firmware/lib/encoder/library.json
if chosen == "tflm":
    # The library and its user must agree on the layout of TFLM's structures and on error messages. There are no
    # messages and no asserts that print: the board reports errors by code and has no console.
    env.Append(CPPDEFINES=["TF_LITE_STATIC_MEMORY", "TF_LITE_STRIP_ERROR_STRINGS", "NDEBUG"])
    env.Replace(LINK="$CXX")
if not env.IsCleanTarget():
    env.Append(LIBSOURCE_DIRS=[str(model_library(chosen))])
