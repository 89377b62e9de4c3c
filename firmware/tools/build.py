"""Builds the firmware that needs no board with PlatformIO, by a core folder that needs no package registry.

python -m firmware.tools.build [ENVIRONMENT ...]     # prints the path of each program
"""

import subprocess
import sys
from importlib import util
from pathlib import Path

from firmware.tools import core_dir
from wire.errors import InklingError

PROGRAMS = {
    "qemu_stm32f405": "firmware.elf",
    "qemu_rv32imc": "firmware.elf",
    "sim_esp32c3": "firmware.elf",
    "sim_stm32f405": "firmware.elf",
    "native": "inkling",
    "native_sanitized": "inkling",
    "native_radio": "inkling",
    "native_gateway": "inkling",
    "native_camera": "inkling",
}
DEFAULT = ("qemu_stm32f405", "qemu_rv32imc", "sim_esp32c3", "native")


class BuildError(InklingError):
    """A build failed; the message tells what the compiler or our own script said."""


def build(
    environment: str,
    *,
    bundle: str | Path | None = None,
    build_dir: str | Path | None = None,
    engine: str | None = None,
    flags: str = "",
) -> Path:
    """`pio run -e ENVIRONMENT`; returns the program's path.

    bundle, engine: others than platformio.ini names. build_dir: another folder than .pio/build, for builds that
    must not replace the usual one. flags: for the compiler, besides those of platformio.ini. BuildError when
    PlatformIO is missing or the build fails.
    """
    if environment not in PROGRAMS:
        there = f"this builds what needs no board: {', '.join(PROGRAMS)}"
        board = "for a board: python -m host flash --env ENV --bundle DIR"
        raise BuildError(f"there is no environment {environment} here; {there}; {board}")
    if util.find_spec("platformio") is None:
        raise BuildError("PlatformIO is not installed here: pip install -r requirements-demo.txt")
    folder = Path(build_dir).resolve() if build_dir else core_dir.ROOT / ".pio" / "build"
    try:
        variables = core_dir.environment()
    except RuntimeError as error:
        raise BuildError(str(error)) from None
    if build_dir is not None:  # not set for nothing: PlatformIO starts afresh when a setting changes
        variables["PLATFORMIO_BUILD_DIR"] = str(folder)
    if bundle is not None:
        variables["INKLING_BUNDLE"] = str(Path(bundle).resolve())
    if engine is not None:
        variables["INKLING_ENGINE"] = engine
    if flags:
        variables["PLATFORMIO_BUILD_FLAGS"] = flags
    command = [sys.executable, "-m", "platformio", "run", "--silent", "-d", str(core_dir.ROOT)]
    done = subprocess.run(
        [*command, "-e", environment],
        env=variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise BuildError(_complaint(done.stderr + done.stdout))
    return folder / environment / PROGRAMS[environment]


def _complaint(output: str) -> str:
    """Our own script's line if there is one, else everything that was said."""
    own = [line.removeprefix("inkling: ") for line in output.splitlines() if line.startswith("inkling: ")]
    return own[0] if own else output.strip()


def main(environments: list[str]) -> None:
    for environment in environments or DEFAULT:
        try:
            print(build(environment))
        except BuildError as error:
            sys.exit(f"inkling: {error}")


if __name__ == "__main__":
    main(sys.argv[1:])
