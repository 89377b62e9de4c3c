"""Networks of a bundle that map received symbols to something, run by onnxruntime in a process of their own."""

import contextlib
import importlib.util
import signal
import subprocess
import sys
import threading
import weakref
from pathlib import Path
from subprocess import PIPE

import numpy as np
from numpy.typing import DTypeLike

from host.classify import network_process, onnx_check
from host.classify.network_process import COUNT, MAX_FAULT_BYTES, OK, REPLY, Job
from host.errors import HostError
from host.receive.events import NO_ANSWER
from wire.bundle import MAX_FILE_BYTES, Bundle
from wire.checks import ContentError, read_file
from wire.text import printable

# Images decoded together. On one thread of a busy machine, an image takes 540 us in batches of 8, 490 us in 16 and
# 460 us in 64. On an idle one, batches of 32 and more have been slower than those of 8.
BATCH = 16
CPU_SECONDS = 20.0  # to load a file, and for each batch: the largest network here needs 0.01 s on a desktop computer
MAX_FAULT_CHARS = 300  # of an error's message
MEMORY_BYTES = 512 << 20  # of a process, in addition to Python, numpy and onnxruntime


class Network:
    """An ONNX file of a bundle, run by onnxruntime on one thread of another process, which has limits.

    output, shape, dtype: name and form of its output (N, *shape). Several threads may use it. Raises HostError if the
    file is refused, cannot be run within the limits, or has no such output.
    """

    def __init__(
        self, bundle: Bundle, file: Path, output: str, shape: tuple[int, ...], dtype: DTypeLike = np.float32
    ) -> None:
        self._name, self._shape, self._dtype = f"bundle {bundle.path}: {file.name}", shape, np.dtype(dtype)
        try:
            model = read_file(file, MAX_FILE_BYTES)
            onnx_check.check(model)
        except onnx_check.OnnxError as error:
            raise HostError(f"{self._name} is refused: {error}") from None
        except ContentError as error:
            raise HostError(f"bundle {bundle.path}: {error}") from None
        self._lock = threading.Lock()  # from a request to its reply
        self._process = _start()
        self._end = weakref.finalize(self, _end, self._process)
        job = Job(len(model), bundle.n_symbols, output, shape, self._dtype.name, CPU_SECONDS, MEMORY_BYTES)
        self._exchange(job.to_line() + model, 0)
        # Two, because readings are decoded in batches: a decoder of one image at a time would fail later.
        self.example = self.run(np.full((2, bundle.n_symbols), -1, np.int64), np.full(2, 0.5), None)

    @property
    def ended(self) -> bool:
        """True after a failure: it cannot be used any more."""
        assert self._process.stdin
        return self._process.stdin.closed

    def run(self, symbols: np.ndarray, ber: np.ndarray, answers: np.ndarray | None) -> np.ndarray:
        """Map symbols (N, S), bit error rates (N,) and answer words (N,) to the output (N, *shape).

        Runs batches of BATCH images. Raises HostError if the network fails, or exceeds a limit, with these symbols.
        """
        given = np.full(len(symbols), NO_ANSWER) if answers is None else answers
        found = np.empty((len(symbols), *self._shape), self._dtype)
        for first in range(0, len(symbols), BATCH):
            part = slice(first, first + BATCH)
            request = COUNT.pack(len(symbols[part])) + b"".join(
                values[part].astype(dtype).tobytes()
                for values, dtype in ((symbols, np.int64), (ber, np.float32), (given, np.int64))
            )
            content = self._exchange(request, found[part].nbytes)
            found[part] = np.frombuffer(content, self._dtype).reshape(found[part].shape)
        return found

    def _exchange(self, request: bytes, size: int) -> bytes:
        """Send a request and return the content of the reply, which has `size` bytes."""
        try:
            with self._lock:
                kind, content = self._reply(request, max(size, MAX_FAULT_BYTES))
        except BaseException:  # Ctrl-C, too: the rest of a reply would be taken for the next one
            self._end()
            raise
        if kind != OK:
            line = (content.decode(errors="replace").splitlines() or ["?"])[0][:MAX_FAULT_CHARS]
            raise HostError(f"{self._name} {printable(line)}")
        if len(content) != size:
            raise HostError(f"{self._name} gives {len(content)} bytes, not {size}")
        return content

    def _reply(self, request: bytes, most: int) -> tuple[int, bytes]:
        """Send a request and return the kind of the reply and its content, of `most` bytes at most."""
        given, replies = self._process.stdin, self._process.stdout
        assert given and replies
        if given.closed:
            raise HostError(f"{self._name} has been stopped")
        with contextlib.suppress(BrokenPipeError):  # the process has ended; the missing reply says so
            given.write(request)
            given.flush()
        head = replies.read(REPLY.size)
        if len(head) < REPLY.size:
            raise HostError(f"{self._name} {_reason(self._process.wait())}")
        kind, size = REPLY.unpack(head)
        if size > most:
            raise HostError(f"{self._name} gives {size} bytes, more than {most}")
        return kind, replies.read(size)


def _start() -> subprocess.Popen[bytes]:
    """Start the process of a network."""
    if importlib.util.find_spec("onnxruntime") is None:
        raise ModuleNotFoundError("No module named 'onnxruntime'", name="onnxruntime")
    command = [sys.executable, "-P", network_process.__file__]
    try:
        # In a session of its own, it does not get the terminal's Ctrl-C.
        return subprocess.Popen(command, stdin=PIPE, stdout=PIPE, stderr=subprocess.DEVNULL, start_new_session=True)
    except OSError as error:
        raise HostError(f"cannot start a process to decode in: {error.strerror}") from None


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        with contextlib.suppress(OSError):  # what was not written yet cannot be
            if pipe:
                pipe.close()


def _reason(status: int) -> str:
    """Return a predicate of the file whose process ended with this status."""
    if sys.platform != "win32" and status == -signal.SIGPROF:
        return f"needs more than {CPU_SECONDS:g} s of CPU time"
    return f"ended its process (status {status}): it may need more than {MEMORY_BYTES >> 20} MiB of memory"
