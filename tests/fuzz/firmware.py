"""The firmware as a fuzz target: its application and wire library, compiled as in platformio.ini, on a simulated board.

tests/fuzz/c replaces the port: it turns an input into bytes, silences and losses and checks each reply against
docs/SPEC.md. A stub replaces the encoder, because an input may request a hundred images and a real encoder takes
milliseconds for each. `build` with a bundle uses the real encoder; scripts have the same meaning for both.
"""

import configparser
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from firmware.tools.core_dir import ROOT
from firmware.tools.model import LIBRARY, generate
from wire.errors import InklingError

CLANG = "clang-14"
LEFT_OUT = ("backoff.c", "gateway.c", "lora.c", "node.c", "status.c", "watch.c")  # no radio, nothing unsolicited
HARNESS = ROOT / "tests" / "fuzz" / "c"
FIRMWARE = ROOT / "firmware"
WIRE = FIRMWARE / "lib" / "wire" / "src"
CAMERA = FIRMWARE / "lib" / "camera"
FUZZER = (CLANG, "-g", "-fsanitize=address,undefined,fuzzer", "-fno-sanitize-recover=all")


class FuzzError(InklingError):
    """A fuzz target cannot be built."""


def build(folder: Path, bundle: Path | None = None, compiler: Sequence[str] = FUZZER) -> Path:
    """Compile the target into `folder`, with the bundle's encoder or the stub, and return the program.

    With a compiler other than FUZZER the program only runs given inputs. Raises FuzzError if the compiler is missing or
    fails; warnings are errors, as in every build.
    """
    if shutil.which(compiler[0]) is None:
        raise FuzzError(f"{compiler[0]} is not installed (Debian: apt install clang-14 libclang-rt-14-dev)")
    folder.mkdir(parents=True, exist_ok=True)
    encoder, objects = _stub() if bundle is None else _real(folder, bundle, compiler)
    own = [FIRMWARE / "src", WIRE, *(FIRMWARE / "lib" / name for name in ("board", "camera", "counter", "encoder"))]
    sources = [*firmware_sources(), CAMERA / "fit.c", *sorted(HARNESS.glob("*.c"))]
    if compiler != FUZZER:
        sources.append(HARNESS / "replay" / "main.c")
    program = folder / "firmware"
    includes = [f"-I{header}" for header in (*own, HARNESS, *encoder)]
    flags = [*_flags(), "-DINKLING_CAMERA=1", "-DINKLING_STATUS_S=0", *compiler[1:], *includes]
    _run([compiler[0], *flags, *sources, *objects, "-o", program, "-lm"], folder)
    return program


def firmware_sources() -> list[Path]:
    """Return the sources under test: the application, its counter and the wire library."""
    sources = [
        *(FIRMWARE / "src").glob("*.c"),
        *(WIRE / "wire").rglob("*.c"),
        FIRMWARE / "lib" / "counter" / "counter.c",
    ]
    return sorted(source for source in sources if source.name not in LEFT_OUT)


def _stub() -> tuple[list[Path], list[Path]]:
    """Return the folders of headers and the files to link of the stub."""
    folder = HARNESS / "stub"
    return [folder], sorted(folder.glob("*.c"))


def _real(folder: Path, bundle: Path, compiler: Sequence[str]) -> tuple[list[Path], list[Path]]:
    """Return the same for the bundle's encoder. Generated code is compiled separately, without warnings."""
    model = folder / "model" / LIBRARY
    generate(bundle, model, "portable")
    sources = sorted(model.glob("*.c"))
    _run([*compiler, "-std=c11", "-O2", "-w", f"-I{WIRE}", "-c", *sources], model)
    objects = [source.with_suffix(".o") for source in sources]
    return [model], [*sorted((FIRMWARE / "lib" / "encoder").glob("*.c")), *objects]


def _flags() -> list[str]:
    """Return the flags of platformio.ini for dialect, optimization, warnings and replaced kernels."""
    config = configparser.ConfigParser(interpolation=None)
    config.read(ROOT / "platformio.ini", encoding="utf-8")
    words = shlex.split(config["env"]["build_flags"] + config["env"]["build_src_flags"])
    others = ("-std=c++17", "-Wl,--gc-sections")
    return [word for word in words if word.startswith(("-std=", "-O", "-W")) and word not in others]


def _run(command: Sequence[str | Path], folder: Path) -> None:
    done = subprocess.run(list(map(str, command)), cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise FuzzError(f"{command[0]} failed:\n{done.stderr.strip()}")
