"""firmware/src/app.c, watch.c and status.c on a simulated board, whose clock, camera and line a test sets."""

import atexit
import shutil
import subprocess
from ctypes import CDLL, POINTER, c_char_p, c_int8, c_uint8, c_uint32
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from tests.support import ROOT, wire_c
from wire.replies.status import ResetCause, Status

FIRMWARE = ROOT / "firmware"
MODEL = ROOT / "tests" / "fuzz" / "c" / "stub"
INPUT_BYTES = 30
SECOND = 1_000_000


@cache
def compile_library(*flags: str) -> Path:
    """Compile the application and the simulated board."""
    path = Path(mkdtemp(prefix="inkling-watch-")) / "watch.so"
    atexit.register(shutil.rmtree, path.parent)
    sources = [
        FIRMWARE / "src" / name
        for name in ("app.c", "backoff.c", "watch.c", "send.c", "mode.c", "status.c", "secure.c")
    ]
    sources.append(FIRMWARE / "lib" / "counter" / "counter.c")
    sources.append(ROOT / "tests" / "firmware" / "c" / "watch_machine.c")
    sources += [*MODEL.glob("*.c"), *(FIRMWARE / "lib" / "camera").glob("*.c"), *wire_c.SOURCES]
    libraries = ("board", "camera", "counter", "encoder", "radio")
    places = [FIRMWARE / "src", MODEL, *(FIRMWARE / "lib" / name for name in libraries)]
    includes = [f"-I{place}" for place in (*places, wire_c.SOURCE)]
    flags = (*wire_c.FLAGS, "-O1", "-shared", "-fPIC", "-DINKLING_CAMERA=1", *flags, *includes, "-Wno-pedantic")
    subprocess.run(["gcc", *flags, *sources, "-o", path], check=True)
    return path


class SimulatedBoard:
    """The application, started at time 0."""

    def __init__(self, folder: Path, *flags: str, **values: int) -> None:
        # A copy, because a library that is loaded twice keeps its variables.
        self.c = CDLL(str(shutil.copy(compile_library(*flags), folder / "watch.so")))
        self.c.encoder_input.restype = POINTER(c_int8)
        self.set(**values)
        self.c.app_start()

    def restart(self, cause: int) -> None:
        """Start the application again at time 0, after a reset or at the end of a deep sleep (ResetCause)."""
        self.set(micros=0, woke=cause == ResetCause.DEEP_SLEEP, reset_cause=cause)
        self.c.app_start()

    def set(self, **values: int) -> None:
        for name, value in values.items():
            c_uint32.in_dll(self.c, f"machine_{name}").value = value

    def get(self, name: str) -> int:
        return c_uint32.in_dll(self.c, f"machine_{name}").value

    def step(self, seconds: float = 0) -> None:
        """Let time pass, then run one step of the application."""
        self.set(micros=(self.get("micros") + round(seconds * SECOND)) % 2**32)
        self.c.app_step()

    def receive(self, data: bytes, takes_s: float = 0) -> None:
        """Receive bytes and run one step; `takes_s` is how long the board needs to execute a command."""
        self.set(command_micros=round(takes_s * SECOND), received_bytes=len(data))
        c_char_p.in_dll(self.c, "machine_received").value = data
        self.step()

    @property
    def status(self) -> Status:
        """The last status frame."""
        return Status.unpack(self.status_data)

    @property
    def status_data(self) -> bytes:
        """Data of the last status frame: a status, and the tag if it is secured."""
        return bytes((c_uint8 * 28).in_dll(self.c, "machine_status"))
