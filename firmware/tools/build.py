"""Build the firmware that needs no board, with PlatformIO and without a package registry.

python -m firmware.tools.build [ENVIRONMENT ...]     # prints the path of each program
"""

import fcntl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import util
from pathlib import Path

from firmware.tools import core_dir
from firmware.tools.core_dir import BuildError
from wire.errors import install_hint

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

__all__ = ["DEFAULT", "PROGRAMS", "BuildError", "build"]


def build(
    environment: str,
    *,
    bundle: str | Path | None = None,
    build_dir: str | Path | None = None,
    engine: str | None = None,
    flags: str = "",
) -> Path:
    """Run `pio run -e ENVIRONMENT` and return the program's path.

    `bundle` and `engine` override those of platformio.ini. `build_dir` replaces .pio/build, for builds that must not
    replace the usual one. `flags` are compiler flags added to those of platformio.ini. Raises BuildError if PlatformIO
    is missing or the build fails.
    """
    if environment not in PROGRAMS:
        available = f"the environments that need no board are {', '.join(PROGRAMS)}"
        board = "for a board use: inkling flash --env ENV --bundle DIR"
        raise BuildError(f"unknown environment {environment}; {available}; {board}")
    if util.find_spec("platformio") is None:
        raise BuildError(f"PlatformIO is not installed; {install_hint('firmware')}")
    folder = Path(build_dir).resolve() if build_dir else core_dir.ROOT / ".pio" / "build"
    variables = core_dir.environment()
    if build_dir is not None:  # not set to the default: PlatformIO rebuilds everything when a setting changes
        variables["PLATFORMIO_BUILD_DIR"] = str(folder)
    if bundle is not None:
        variables["INKLING_BUNDLE"] = str(Path(bundle).resolve())
    if engine is not None:
        variables["INKLING_ENGINE"] = engine
    if flags:
        variables["PLATFORMIO_BUILD_FLAGS"] = flags
    command = [sys.executable, "-m", "platformio", "run", "--silent", "-d", str(core_dir.ROOT)]
    with _lock(folder):
        done = subprocess.run(
            [*command, "-e", environment],
            env=variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode != 0:
        raise BuildError(_error_text(done.stderr + done.stdout))
    return folder / environment / PROGRAMS[environment]


@contextmanager
def _lock(folder: Path) -> Iterator[None]:
    """Let one process at a time build in a folder. The lock lies beside it: PlatformIO may empty the folder."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f".{folder.name}.building").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _error_text(output: str) -> str:
    """Return our own script's error line if there is one, else the whole output."""
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
