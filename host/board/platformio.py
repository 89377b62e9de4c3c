"""PlatformIO as a subprocess: the environments of platformio.ini, and building and flashing one of them."""

import codecs
import contextlib
import io
import json
import os
import queue
import re
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Generator, Iterator
from importlib import util
from pathlib import Path
from typing import NamedTuple
from urllib.request import getproxies

from host.errors import HostError
from wire.errors import install_hint
from wire.files import naming

CLONE = Path(__file__).resolve().parents[2]  # of an installed package: no clone
BUILD_SCRIPT = Path("firmware") / "generate.py"  # distinguishes the project from other PlatformIO projects
LOG = Path(".pio") / "flash.log"
SCRIPT_PREFIX = "inkling: "  # of the build script's own line: why the build ends, or an estimate of the room
INSTALLING = re.compile(r"\w+ Manager: Installing (.+)")  # what PlatformIO prints before it asks its registry
LOCAL = ("symlink://", "file://")  # packages that need no network
NETWORK = re.compile(r"HTTPClientError|InternetConnectionError|Connect(ion|Timeout)|ReadTimeout|SSLError|ProxyError")
OFFLINE_S, ANSWER_S = 5.0, 12.0  # without an answer, until an error if there is no network, and until a note
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


def upload(
    environment: str, port: str, bundle: Path, on_line: Callable[[str], None], on_note: Callable[[str], None]
) -> None:
    """Build `environment` with the bundle and flash the board on `port`.

    Calls `on_line` with each line of output, and `on_note` if the network does not answer. All output is also written
    to the project's .pio/flash.log. Raises HostError with its most informative line, or with the package that could not
    be downloaded, and OSError if the log cannot be written.
    """
    root = project_folder()
    call = [*command(), "run", "-d", str(root), "-t", "upload", "-e", environment, "--upload-port", port]
    variables = os.environ | {"INKLING_BUNDLE": str(bundle.resolve()), "PYTHONIOENCODING": "utf-8:backslashreplace"}
    log = root / LOG
    log.parent.mkdir(parents=True, exist_ok=True)
    lines: list[str] = []
    package: str | None = None  # that is being installed
    with (
        naming(log),
        log.open("w", encoding="utf-8", buffering=1) as file,
        subprocess.Popen(
            call, env=variables, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        ) as process,
    ):
        try:
            for line, asked_s in _output(process):
                if line is not None:
                    file.write(f"{line}\n")
                    lines.append(line)
                    on_line(line.strip())
                    if found := INSTALLING.match(line.strip()):
                        package = found[1]
                elif package and package.startswith(LOCAL):
                    continue
                elif asked_s == OFFLINE_S and not has_network():
                    raise HostError(f"{environment} was not flashed: {_not_downloaded(package, 'no network')}")
                elif asked_s == ANSWER_S:
                    on_note(f"PlatformIO wants to download {package}, and nothing answers yet: is there a network?")
        except BaseException:  # Ctrl-C, too
            process.terminate()
            raise
    output = "\n".join(lines)
    if process.returncode != 0:
        reason = _key_line(output)
        if package and NETWORK.search(output):
            reason = _not_downloaded(package, reason.rstrip(": "))
        raise HostError(f"flashing {environment} failed: {reason} (full output: {log})")


def _not_downloaded(package: str | None, reason: str) -> str:
    return (
        f"PlatformIO could not download {package} ({reason}): check the network connection, and the proxy "
        "(HTTPS_PROXY) if there is one; it needs them once per environment"
    )


def _output(process: subprocess.Popen[bytes]) -> Iterator[tuple[str | None, float]]:
    """Iterate over lines of output, and over the silence after a line that says that a package is being installed.

    Yields (line, 0), and (None, seconds of silence) once for each of the times below. Progress without a line break is
    no silence.
    """
    chunks: queue.Queue[bytes] = queue.Queue()
    assert process.stdout is not None
    descriptor = process.stdout.fileno()

    def read() -> None:
        data = b"-"
        while data:
            try:
                data = os.read(descriptor, 1 << 16)
            except OSError:  # closed, as the upload was given up
                data = b""
            chunks.put(data)

    threading.Thread(target=read, daemon=True).start()
    decoder = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder("utf-8")("replace"), translate=True)
    rest, asking, data = "", False, b"-"
    while data:
        data = yield from _next(chunks, asking)
        *lines, rest = (rest + decoder.decode(data, final=not data)).split("\n")
        yield from ((line, 0.0) for line in lines)
        asking = bool(lines and INSTALLING.match(lines[-1].strip()) and not rest)
    if rest:
        yield rest, 0.0


def _next(chunks: "queue.Queue[bytes]", asking: bool) -> Generator[tuple[None, float], None, bytes]:
    """Return the next chunk; while `asking` for a package, yield (None, seconds of silence) before."""
    waited = 0.0
    for seconds in (OFFLINE_S, ANSWER_S) if asking else ():
        try:
            return chunks.get(timeout=seconds - waited)
        except queue.Empty:
            waited = seconds
            yield None, seconds
    return chunks.get()


def has_network() -> bool:
    """Return True if this machine has a route to other networks, or a proxy. Sends nothing."""
    for family, address in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):  # of examples
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((address, 9))  # UDP: only looks for a route
            return True
    return bool(getproxies().keys() - {"no"})


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
