"""PlatformIO as a subprocess: the environments of platformio.ini, and building and flashing one of them."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib import util
from pathlib import Path
from typing import NamedTuple

from host.errors import HostError
from wire.errors import install_hint

CLONE = Path(__file__).resolve().parents[2]  # of an installed package: no clone
BUILD_SCRIPT = Path("firmware") / "generate.py"  # distinguishes the project from other PlatformIO projects
LOG = Path(".pio") / "flash.log"
SCRIPT_PREFIX = "inkling: "  # of the build script's own line: why the build ends, or an estimate of the room
NO_ROOM = ("overflowed", "will not fit", "Error: The program size")  # errors of GNU ld and of PlatformIO


def command() -> list[str]:
    """Return the command that runs PlatformIO: as a module of this Python, else `pio` on the PATH.

    This Python comes first because the build needs the project's packages beside PlatformIO, and they are likely here.
    Raises HostError if PlatformIO is not installed.
    """
    if util.find_spec("platformio") is not None:
        return [sys.executable, "-m", "platformio"]
    if program := shutil.which("pio"):
        return [program]
    raise HostError(f"PlatformIO is not installed; {install_hint('firmware')}")


def project_folder() -> Path:
    """Return the nearest folder, from the working directory upwards, that has Inkling's platformio.ini.

    Falls back to the clone that this file is in. Raises HostError if there is neither.
    """
    cwd = Path.cwd()
    for folder in (cwd, *cwd.parents, CLONE):
        if (folder / "platformio.ini").is_file() and (folder / BUILD_SCRIPT).is_file():
            return folder
    raise HostError(f"{cwd} is not in a clone of Inkling, which building firmware needs: run this command in a clone")


class Environment(NamedTuple):
    """An environment of platformio.ini."""

    is_board: bool  # it has a real board, which can be flashed
    upload_protocol: str | None  # None: the board's default


def environments() -> dict[str, Environment]:
    """Return the environments of platformio.ini by name. Raises HostError."""
    root = project_folder()
    call = [*command(), "project", "config", "--json-output", "-d", str(root)]
    done = subprocess.run(call, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise HostError(f"PlatformIO cannot read {root / 'platformio.ini'}: {_key_line(done.stderr + done.stdout)}")
    try:
        sections = dict(json.loads(done.stdout))
        options = {name[4:]: dict(items) for name, items in sections.items() if name.startswith("env:")}
        return {name: Environment("board" in o, o.get("upload_protocol")) for name, o in options.items()}
    except (ValueError, TypeError):
        raise HostError("PlatformIO printed no project configuration: version 6 or newer is required") from None


def upload(environment: str, port: str, bundle: Path, on_line: Callable[[str], None]) -> None:
    """Build `environment` with the bundle and flash the board on `port`. Calls `on_line` with each line of output.

    All output is also written to the project's .pio/flash.log. Raises HostError with its most informative line.
    """
    root = project_folder()
    call = [*command(), "run", "-d", str(root), "-t", "upload", "-e", environment, "--upload-port", port]
    variables = os.environ | {"INKLING_BUNDLE": str(bundle.resolve())}
    log = root / LOG
    log.parent.mkdir(parents=True, exist_ok=True)
    lines = []
    with (
        log.open("w", encoding="utf-8") as file,
        subprocess.Popen(
            call, env=variables, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, errors="replace",
        ) as process,
    ):  # fmt: skip
        assert process.stdout is not None
        for line in process.stdout:
            file.write(line)
            lines.append(line)
            on_line(line.strip())
    if process.returncode != 0:
        raise HostError(f"flashing {environment} failed: {_key_line(''.join(lines))} (full output: {log})")


def _key_line(output: str) -> str:
    """Return the most informative line of the output: the build script's own, else the last error, else the last.

    If other errors follow the script's line, it only estimated that the board is too small, which explains no error but
    a lack of room.
    """
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    own = [line.removeprefix(SCRIPT_PREFIX) for line in lines if line.startswith(SCRIPT_PREFIX)]
    # "*** [upload] Error 2" and the summary do not say which error.
    others = ("***", "===", SCRIPT_PREFIX)
    errors = [line for line in lines if "error" in line.lower() and not line.startswith(others)]
    if errors and not any(mark in output for mark in NO_ROOM):
        own = []
    return (own[:1] or errors[-1:] or lines[-1:] or ["no output"])[0]
