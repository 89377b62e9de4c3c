"""Process that runs one ONNX file of a bundle, so that the file can neither hang the host nor use up its memory.

host.classify.network starts it. Standard input: one line of JSON, which is a Job, and the file; then requests, each a
COUNT of images N, symbols int64 (N, S), bit error rates float32 (N,) and answer words int64 (N,). Standard output: a
REPLY to the file, without content, and one to each request, with the network's output. A fault's content is a text.

Limits: CPU time for each reply, memory (Linux only), and no more files that are opened. Windows has none of them.
"""

import json
import os
import signal
import struct
import sys
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

COUNT, REPLY = struct.Struct("<I"), struct.Struct("<BI")  # REPLY: OK or FAULT, and the size of its content
OK, FAULT = 0, 1
MAX_FAULT_BYTES = 1000
THREADS = 1  # two cost twice the CPU time per image and decode no faster
LOG_FATAL_ONLY = 4  # onnxruntime's severity level: nobody reads standard error


@dataclass(frozen=True)
class Job:
    """Size of the ONNX file, its interface, and the limits."""

    model_bytes: int
    n_symbols: int
    output: str  # name of the network's output (N, *shape)
    shape: tuple[int, ...]
    dtype: str
    cpu_seconds: float
    memory_bytes: int

    def to_line(self) -> bytes:
        """Return the line of JSON."""
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def of_line(cls, line: bytes) -> "Job":
        """Return the job in a line of JSON."""
        values = json.loads(line)
        return cls(**values | {"shape": tuple(values["shape"])})


class _OutputError(Exception):
    """The output is of no use. The message is a predicate of the file, such as "gives ..."."""


def main() -> None:
    """Reply to requests until standard input ends."""
    requests, replies = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # onnxruntime prints to standard output, too
    job = Job.of_line(requests.readline())
    model = requests.read(job.model_bytes)
    session = None
    given: dict[str, np.ndarray] | None = {}
    while given is not None:
        kind, content = OK, b""
        try:
            if session is None:
                session = _load(model, job)
            else:
                content = _output(session, job, given)
        except Exception as error:  # onnxruntime's exceptions have no common base
            text = str(error) if isinstance(error, _OutputError) else f"cannot be run: {error}"
            kind, content = FAULT, text.encode(errors="replace")[:MAX_FAULT_BYTES]
        _limit_time(0)
        replies.write(REPLY.pack(kind, len(content)) + content)
        replies.flush()
        given = _request(requests, job)


def _load(model: bytes, job: Job) -> "InferenceSession":
    import onnxruntime  # here, because the parent process imports this module and does not need it

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = THREADS
    options.log_severity_level = LOG_FATAL_ONLY
    options.add_session_config_entry("session.load_model_format", "ONNX")  # the format that was checked
    _limit_memory_and_files(job.memory_bytes)
    _limit_time(job.cpu_seconds)
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _limit_memory_and_files(memory_bytes: int) -> None:
    if sys.platform == "win32":
        return
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":  # elsewhere, this limit is missing or without effect
        with open("/proc/self/statm", encoding="ascii") as file:
            used = int(file.read().split()[0]) * resource.getpagesize()
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        most = used + memory_bytes if hard == resource.RLIM_INFINITY else min(used + memory_bytes, hard)
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))  # those that are open stay open


def _limit_time(seconds: float) -> None:
    """End this process, by the default action of SIGPROF, after so much CPU time; 0: no limit."""
    if sys.platform != "win32":
        signal.setitimer(signal.ITIMER_PROF, seconds)


def _request(requests: BinaryIO, job: Job) -> dict[str, np.ndarray] | None:
    """Return the inputs of the next request, None if there is none."""
    head = requests.read(COUNT.size)
    if len(head) < COUNT.size:
        return None
    (n,) = COUNT.unpack(head)
    return {
        "symbols": np.frombuffer(requests.read(8 * n * job.n_symbols), np.int64).reshape(n, job.n_symbols),
        "ber": np.frombuffer(requests.read(4 * n), np.float32),
        "answer": np.frombuffer(requests.read(8 * n), np.int64),
    }


def _output(session: "InferenceSession", job: Job, given: dict[str, np.ndarray]) -> bytes:
    """Return the bytes of the output. Raises _OutputError if it does not fit."""
    _limit_time(job.cpu_seconds)
    # An input that the job does not have is not given, and onnxruntime reports that it is missing.
    names = [value.name for value in session.get_inputs() if value.name in given]
    found = session.run([job.output], {name: given[name] for name in names})[0]
    n, dtype = len(given["ber"]), np.dtype(job.dtype)
    if not isinstance(found, np.ndarray):
        raise _OutputError(f"gives a {type(found).__name__}, not {dtype} {(n, *job.shape)}")
    if found.dtype != dtype or found.shape != (n, *job.shape):
        raise _OutputError(f"gives {found.dtype} {found.shape} for {n} images, not {dtype} {(n, *job.shape)}")
    if not np.isfinite(found).all():
        raise _OutputError("gives values that are not finite")
    return found.tobytes()


if __name__ == "__main__":
    main()
