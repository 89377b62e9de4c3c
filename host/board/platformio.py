"""PlatformIO as a process: the environments of platformio.ini, and building and flashing one of them."""

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

PROJECT = Path(__file__).resolve().parents[2]
LOG = Path(".pio") / "flash.log"
OURS = "inkling: "  # how the line begins that the project's own build script ends a build with


def command() -> list[str]:
    """How PlatformIO is run: as a module of this Python, else `pio` on the PATH. HostError when there is none.

    This Python comes first: the build needs the project's packages beside PlatformIO, and they are likely here.
    """
    if util.find_spec("platformio") is not None:
        return [sys.executable, "-m", "platformio"]
    if found := shutil.which("pio"):
        return [found]
    raise HostError("PlatformIO is not installed: pip install '.[firmware]' in a clone of Inkling")


class Environment(NamedTuple):
    """An environment of platformio.ini."""

    is_board: bool  # a real one, which can be flashed
    upload_protocol: str | None  # None: the board's usual one


def environments() -> dict[str, Environment]:
    """The environments of platformio.ini by name."""
    _need_project()
    asked = [*command(), "project", "config", "--json-output", "-d", str(PROJECT)]
    done = subprocess.run(asked, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise HostError(f"PlatformIO cannot read {PROJECT / 'platformio.ini'}: {_telling(done.stderr + done.stdout)}")
    try:
        sections = dict(json.loads(done.stdout))
        environments = {name[4:]: dict(items) for name, items in sections.items() if name.startswith("env:")}
        return {name: Environment("board" in e, e.get("upload_protocol")) for name, e in environments.items()}
    except (ValueError, TypeError):
        raise HostError("PlatformIO gave no project configuration: is it older than version 6?") from None


def upload(environment: str, port: str, bundle: Path, progress: Callable[[str], None]) -> None:
    """Build `environment` with the bundle and flash the board on `port`. `progress` gets each line as it comes.

    HostError with the line that tells why, when that fails; all lines are in the project's .pio/flash.log.
    """
    asked = [*command(), "run", "-d", str(PROJECT), "-t", "upload", "-e", environment, "--upload-port", port]
    variables = os.environ | {"INKLING_BUNDLE": str(bundle.resolve())}
    log = PROJECT / LOG
    log.parent.mkdir(parents=True, exist_ok=True)
    lines = []
    with (
        log.open("w", encoding="utf-8") as file,
        subprocess.Popen(
            asked, env=variables, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, errors="replace",
        ) as process,
    ):  # fmt: skip
        assert process.stdout is not None
        for line in process.stdout:
            file.write(line)
            lines.append(line)
            progress(line.strip())
    if process.returncode != 0:
        raise HostError(f"{environment} was not flashed: {_telling(''.join(lines))} (all of it: {log})")


def _need_project() -> None:
    if not (PROJECT / "platformio.ini").is_file():
        raise HostError(f"{PROJECT} has no platformio.ini: flash from a clone of the project")


def _telling(output: str) -> str:
    """The one line of PlatformIO's output that tells most: our script's own, else the last error, else the last."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    own = [line.removeprefix(OURS) for line in lines if line.startswith(OURS)]
    # "*** [upload] Error 2" and the summary say that there was an error, not which.
    errors = [line for line in lines if "error" in line.lower() and not line.startswith(("***", "==="))]
    return (own[:1] or errors[-1:] or lines[-1:] or ["it said nothing"])[0]
