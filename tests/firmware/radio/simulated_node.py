"""firmware/src/node.c and send.c on a simulated board: a node whose clock, radio and sleep a test sets."""

import atexit
import shutil
import subprocess
from ctypes import CDLL, Array, Structure, byref, c_bool, c_int8, c_size_t, c_uint8, c_uint32
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from tests.support import ROOT, wire_c
from wire.answer import Answer
from wire.control import ANSWER_SENT, LONGEST_PREFIX, Mode
from wire.lora import air_time_s

FIRMWARE = ROOT / "firmware"
MACHINE = ROOT / "tests" / "firmware" / "c" / "node_machine.c"
MODEL = ROOT / "tests" / "fuzz" / "c" / "stub"  # chunks of 11, 4, 7 and 1 symbols; the first two are prefixes
NUMBER = 0x5EED1234
BUCKET = 3_600_000
ANSWER = ANSWER_SENT  # as a chunk
PACKET_BYTES = {0: 8 + 7 + 2, 1: 8 + 4 + 2, ANSWER: 8}  # answer word and 11 or 4 symbols of 3 bits; an answer
STATUS = bytes(range(100, 120))  # data of a status frame
SECURED_STATUS_BYTES = 28
DEVICE_KEY = b"\xa5" * 16  # of a node with a key
PACKET_BYTES_OF_STATUS = 36
STATUS_AIR = round(1e6 * air_time_s(PACKET_BYTES_OF_STATUS, 7))
AIR = {chunk: round(1e6 * air_time_s(size, 7)) for chunk, size in PACKET_BYTES.items()}
SURE, UNSURE = [-100, -100, 127, -100, -100], [10, 9, 8, 7, 6]  # scores, of confidence levels far from the threshold


@cache
def compile_library(*flags: str) -> Path:
    """Compile node.c and the simulated board."""
    path = Path(mkdtemp(prefix="inkling-node-")) / "node.so"
    atexit.register(shutil.rmtree, path.parent)
    sources = [FIRMWARE / "src" / name for name in ("node.c", "lora.c", "secure.c", "send.c", "mode.c")]
    sources += [MACHINE, MODEL / "inkling_model.c", FIRMWARE / "lib" / "counter" / "counter.c"]
    sources += [*sorted((FIRMWARE / "lib" / "radio").glob("*.c")), *wire_c.SOURCES]
    places = [FIRMWARE / "src", MODEL, *(FIRMWARE / "lib" / name for name in ("board", "counter", "encoder", "radio"))]
    includes = [f"-I{place}" for place in (*places, wire_c.SOURCE)]
    flags = (*wire_c.FLAGS, "-O1", "-shared", "-fPIC", "-DINKLING_RADIO=1", *flags, *includes, "-Wno-pedantic")
    subprocess.run(["gcc", *flags, *sources, "-o", path], check=True)
    return path


class Report(Structure):
    _fields_ = [("ready_cycles", c_uint32), ("sent", wire_c.RadioReport)]


class Request(Structure):
    _fields_ = [("number", c_uint32), ("chunk", c_uint8), ("by_radio", c_bool), ("by_mode", c_bool)]


class ModeOfBoard(Structure):
    _fields_ = [("mode", c_uint8), ("threshold", c_uint8)]


def outputs_with(scores: list[int]) -> Array[c_int8]:
    return (c_int8 * 17)(*range(12), *scores)


class Node:
    """A node at time 0, with full air time and a working radio."""

    def __init__(self, folder: Path, *flags: str, key: bool = False) -> None:
        # A copy, because a library that is loaded twice keeps its variables.
        self.c = CDLL(str(shutil.copy(compile_library(*flags), folder / "node.so")))
        self.set(starts=True, sends=True, key=key)
        self.c.counter_start()
        self.c.secure_start()
        self.c.mode_start()
        self.c.node_start()
        self.wait_an_hour()

    def wait_an_hour(self) -> None:
        """Refill the air time."""
        self.c.node_sleep(c_uint32(3600))
        self.c.node_wake()

    def set(self, **values: int) -> None:
        kinds = {"micros": c_uint32, "air_micros": c_uint32}
        for name, value in values.items():
            kinds.get(name, c_bool).in_dll(self.c, f"machine_{name}").value = value

    def get(self, name: str) -> int:
        return c_uint32.in_dll(self.c, f"machine_{name}").value

    def check(self, chunk: int) -> int:
        return self.c.node_check_features(c_uint8(chunk))

    def send(self, chunk: int = 0, sequence: int = 5) -> tuple[int, Report]:
        report = Report()
        outputs = outputs_with(UNSURE)
        return self.c.node_send_features(c_uint32(sequence), c_uint8(chunk), outputs, byref(report)), report

    def send_image(self, scores: list[int], chunk: int = LONGEST_PREFIX) -> tuple[int, int]:
        """Check, then send an image by mode and by radio; return the error and the chunk sent, or ANSWER."""
        request, report = Request(21, chunk, True, True), Report()
        error = self.c.send_check(byref(request))
        if error == 0:
            error = self.c.send_image(byref(request), outputs_with(scores), byref(report))
        return error, report.sent.chunk

    def set_mode(self, mode: Mode, threshold: int = 8) -> None:
        assert self.c.mode_set(ModeOfBoard(mode, threshold)) & 1

    def send_answer(self, answer: Answer, sequence: int = 21) -> tuple[int, Report]:
        report = Report()
        return self.c.node_send_answer(
            c_uint32(sequence), wire_c.Answer(answer.index, answer.confidence), byref(report)
        ), report

    def send_status(self, patient: bool = True) -> int:
        data = (c_uint8 * SECURED_STATUS_BYTES)(*STATUS)
        self.c.secure_status(data)
        return self.c.node_send_status(data, c_bool(patient))

    def air_left_cs(self) -> int:
        return self.c.node_air_left_cs() & 0xFFFF

    def leave(self, air_micros: int) -> None:
        """Send answers until less air time than this is left, then wait until that much is."""
        left = BUCKET
        while left >= air_micros:
            error, report = self.send_answer(Answer(0, 0))
            if error == 0:
                left = report.sent.left_micros
            else:
                self.gain(AIR[ANSWER])
        self.gain(air_micros - left)

    def gain(self, air_micros: int) -> None:
        """Wait until this much more air time is left."""
        self.set(micros=self.get("micros") + -(-air_micros * 1000 // 9))

    def left(self) -> int:
        """Return the air time that was left before this packet."""
        error, report = self.send(chunk=1)
        assert error == 0
        return report.sent.left_micros + report.sent.air_micros

    def packet(self) -> bytes:
        size = c_size_t.in_dll(self.c, "machine_packet_bytes").value
        return bytes((c_uint8 * 255).in_dll(self.c, "machine_packet"))[:size]
