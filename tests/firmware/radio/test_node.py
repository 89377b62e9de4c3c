"""firmware/src/node.c and send.c on a simulated board: modes by radio, a radio that fails, deep sleep, refusals."""

import atexit
import shutil
import subprocess
from ctypes import CDLL, Array, Structure, byref, c_bool, c_int8, c_size_t, c_uint8, c_uint16, c_uint32
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import pytest

from tests.support import ROOT, wire_c
from wire.answer import Answer
from wire.control import ANSWER_SENT, LONGEST_PREFIX, ErrorCode, Mode
from wire.frame import AnswerHeader, FrameType, Header, check_crc
from wire.lora import air_time_s

FIRMWARE = ROOT / "firmware"
MACHINE = ROOT / "tests" / "firmware" / "c" / "node_machine.c"
MODEL = ROOT / "tests" / "fuzz" / "c" / "stub"  # chunks of 11, 4, 7 and 1 symbols; the first two are prefixes
NUMBER = 0x5EED1234
BUCKET = 3_600_000
ANSWER = ANSWER_SENT  # as a chunk
PACKET_BYTES = {0: 8 + 7 + 2, 1: 8 + 4 + 2, ANSWER: 8}  # answer word and 11 or 4 symbols of 3 bits; an answer
AIR = {chunk: round(1e6 * air_time_s(size, 7)) for chunk, size in PACKET_BYTES.items()}
SURE, UNSURE = [-100, -100, 127, -100, -100], [10, 9, 8, 7, 6]  # scores, of confidence levels far from the threshold


@cache
def compile_library(*flags: str) -> Path:
    """Compile node.c and the simulated board."""
    path = Path(mkdtemp(prefix="inkling-node-")) / "node.so"
    atexit.register(shutil.rmtree, path.parent)
    sources = [FIRMWARE / "src" / name for name in ("node.c", "lora.c", "send.c", "mode.c")]
    sources += [MACHINE, MODEL / "inkling_model.c"]
    sources += [*sorted((FIRMWARE / "lib" / "radio").glob("*.c")), *wire_c.SOURCES]
    places = [FIRMWARE / "src", MODEL, *(FIRMWARE / "lib" / name for name in ("board", "encoder", "radio"))]
    includes = [f"-I{place}" for place in (*places, wire_c.SOURCE)]
    flags = (*wire_c.FLAGS, "-O1", "-shared", "-fPIC", "-DINKLING_RADIO=1", *flags, *includes, "-Wno-pedantic")
    subprocess.run(["gcc", *flags, *sources, "-o", path], check=True)
    return path


class Report(Structure):
    _fields_ = [("ready_cycles", c_uint32), ("sent", wire_c.RadioReport)]


class Request(Structure):
    _fields_ = [("sequence", c_uint8), ("chunk", c_uint8), ("by_radio", c_bool), ("by_mode", c_bool)]


class AnswerOfBoard(Structure):
    _fields_ = [("index", c_uint16), ("confidence", c_uint8)]


class ModeOfBoard(Structure):
    _fields_ = [("mode", c_uint8), ("threshold", c_uint8)]


def outputs_with(scores: list[int]) -> Array[c_int8]:
    return (c_int8 * 17)(*range(12), *scores)


class Node:
    """A node at time 0, with full air time and a working radio."""

    def __init__(self, folder: Path, *flags: str) -> None:
        # A copy, because a library that is loaded twice keeps its variables.
        self.c = CDLL(str(shutil.copy(compile_library(*flags), folder / "node.so")))
        self.set(starts=True, sends=True)
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
        return self.c.node_send_features(c_uint8(sequence), c_uint8(chunk), outputs, byref(report)), report

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
            c_uint8(sequence), AnswerOfBoard(answer.index, answer.confidence), byref(report)
        ), report

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


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


def test_node_send_sends_the_frame_without_sync_and_reports_it(node: Node) -> None:
    node.set(micros=1000, air_micros=AIR[0])
    error, report = node.send(sequence=21)
    assert error == 0
    assert (report.sent.chunk, report.sent.air_micros, report.ready_cycles) == (0, AIR[0], 1000)
    assert report.sent.left_micros == BUCKET - AIR[0] + AIR[0] * 9 // 1000
    assert node.packet()[:8] == Header(FrameType.FEATURE, 7, 21, NUMBER & 31, 0).encode()
    assert len(node.packet()) == PACKET_BYTES[0] and check_crc(node.packet(), NUMBER)


def test_node_send_sends_the_answer_without_sync_and_reports_it(node: Node) -> None:
    node.set(micros=1000, air_micros=AIR[ANSWER])
    error, report = node.send_answer(Answer(4, 11), sequence=53)
    assert error == 0
    assert (report.sent.chunk, report.sent.air_micros, report.ready_cycles) == (ANSWER, AIR[ANSWER], 1000)
    assert report.sent.left_micros == BUCKET - AIR[ANSWER] + AIR[ANSWER] * 9 // 1000
    assert node.packet() == AnswerHeader(7, 21, NUMBER & 31, Answer(4, 11)).encode()


@pytest.mark.parametrize(
    ("mode", "sure", "unsure"), [(Mode.FEATURES, 0, 0), (Mode.ANSWER, ANSWER, ANSWER), (Mode.ADAPTIVE, ANSWER, 0)]
)
def test_send_image_follows_the_mode(node: Node, mode: Mode, sure: int, unsure: int) -> None:
    node.set_mode(mode)
    assert node.send_image(SURE) == (0, sure)
    assert node.send_image(UNSURE) == (0, unsure)
    assert node.send_image(UNSURE, chunk=1) == (0, 1 if unsure == 0 else ANSWER)
    refused = (ErrorCode.BAD_ARGUMENT, 0)
    assert node.send_image(SURE, chunk=4) == (refused if mode != Mode.ANSWER else (0, ANSWER))


def test_adaptive_mode_has_the_confidence_of_the_scores(node: Node) -> None:
    answer = node.c.wire_answer_of
    answer.restype = AnswerOfBoard
    model = wire_c.Model.in_dll(node.c, "inkling_model")
    for scores in (SURE, UNSURE, [-128] * 4 + [127], [127] * 5, [0, 5, 9, 3, 60], [40, 0, 0, 0, 0]):
        found = answer(byref(model), (c_int8 * 5)(*scores))
        for threshold in (0, 7, 15):
            node.set_mode(Mode.ADAPTIVE, threshold)
            assert node.send_image(scores) == (0, ANSWER if found.confidence >= threshold else 0)


def test_adaptive_mode_sends_a_shorter_prefix_and_then_the_answer_as_air_time_runs_out(node: Node) -> None:
    for left, sent in ((AIR[0], 0), (AIR[0] - 10, 1), (AIR[1], 1), (AIR[1] - 10, ANSWER), (AIR[ANSWER], ANSWER)):
        node.leave(left)
        assert node.send_image(UNSURE) == (0, sent)
    node.leave(AIR[ANSWER] - 10)
    for scores in (SURE, UNSURE):
        assert node.send_image(scores)[0] == ErrorCode.AIR_TIME
    node.leave(AIR[1] - 10)
    assert node.send_image(UNSURE, chunk=0) == (0, ANSWER), "also where a chunk is asked for"


def test_features_mode_sends_no_answer_as_air_time_runs_out(node: Node) -> None:
    node.set_mode(Mode.FEATURES)
    node.leave(AIR[1] - 10)
    assert node.send_image(SURE)[0] == ErrorCode.AIR_TIME
    node.set_mode(Mode.ANSWER)
    assert node.send_image(UNSURE) == (0, ANSWER)


def test_mode_survives_deep_sleep_but_not_a_reset(node: Node) -> None:
    node.set_mode(Mode.ANSWER)
    node.set(woke=True)
    node.c.mode_start()
    assert node.send_image(UNSURE) == (0, ANSWER)
    node.set(woke=False)
    node.c.mode_start()
    assert node.send_image(UNSURE) == (0, 0)


@pytest.mark.parametrize("by_mode", [False, True])
def test_send_image_on_the_line_follows_the_mode_if_asked_to(node: Node, by_mode: bool) -> None:
    node.set(starts=False)  # the line needs no radio
    for mode in Mode:
        node.set_mode(mode)
        for scores in (SURE, UNSURE):
            request, report = Request(3, 2, False, by_mode), Report()
            assert node.c.send_check(byref(request)) == 0
            assert node.c.send_image(byref(request), outputs_with(scores), byref(report)) == 0
            answers = by_mode and (mode == Mode.ANSWER or (mode == Mode.ADAPTIVE and scores is SURE))
            assert node.get("line_chunk") == (ANSWER if answers else 2)
    assert node.get("started") == 0


def test_node_restarts_a_radio_that_does_not_answer_each_time(node: Node) -> None:
    node.set(starts=False)
    assert node.check(0) == node.send()[0] == ErrorCode.RADIO
    assert node.get("started") == 2 and node.packet() == b""
    node.set(starts=True)
    assert node.check(0) == node.send()[0] == node.send()[0] == 0
    assert node.get("started") == 3, "a radio that has answered is not restarted"
    node.set(sends=False)
    assert node.send()[0] == ErrorCode.RADIO
    node.set(sends=True)
    assert node.send()[0] == 0 and node.get("started") == 4


def test_node_counts_air_time_when_the_radio_reports_failure(node: Node) -> None:
    node.set(sends=False)
    for _ in range(10):
        assert node.send()[0] == ErrorCode.RADIO
    node.set(sends=True)
    assert node.left() == BUCKET - 10 * AIR[0]


def test_node_check_refuses_with_the_first_reason(node: Node) -> None:
    assert [node.check(chunk) for chunk in (0, 1, 2, 3, 4, 254)] == [0] * 4 + [ErrorCode.BAD_ARGUMENT] * 2
    for chunk in (0, 1):
        while node.send(chunk)[0] == 0:
            pass
    assert node.check(0) == node.send(0)[0] == ErrorCode.AIR_TIME
    assert node.check(LONGEST_PREFIX) == node.check(1) == ErrorCode.AIR_TIME
    node.set(starts=False)
    assert node.check(1) == ErrorCode.AIR_TIME, "without starting the radio"
    node.set(micros=AIR[1] * 1000 // 9 + 1)
    assert node.check(1) == 0, "refilled"


def test_node_sleep_puts_the_radio_to_sleep_and_counts_the_time(node: Node) -> None:
    for _ in range(20):
        assert node.send()[0] == 0
    node.set(micros=1_000_000)
    node.c.node_sleep(c_uint32(60))
    assert node.get("slept") == 1
    node.set(micros=300, woke=True)  # the chip restarts, and its clock
    node.c.node_start()
    left = BUCKET - 20 * AIR[0] + 61 * 9_000
    assert left < BUCKET
    assert node.left() == left
    assert node.get("started") == 2
    node.set(micros=0, woke=False)  # a reset: the past is unknown
    node.c.node_start()
    assert node.check(1) == ErrorCode.AIR_TIME
    node.wait_an_hour()
    assert node.left() == BUCKET


def test_node_counts_a_sleep_that_returns_once(node: Node) -> None:
    for _ in range(20):
        assert node.send()[0] == 0
    node.c.node_sleep(c_uint32(60))
    node.set(micros=60_000_000)
    node.c.node_wake()
    node.c.node_step()
    assert node.left() == BUCKET - 20 * AIR[0] + 60 * 9_000


def test_node_counts_a_sleep_longer_than_the_clocks_range(node: Node) -> None:
    while node.send()[0] == 0:
        pass
    node.c.node_sleep(c_uint32(4300))
    node.set(micros=4_300_000_000 % 2**32)
    node.c.node_wake()
    assert node.left() == BUCKET


def test_node_sleep_leaves_a_radio_alone_that_was_never_started(node: Node) -> None:
    node.c.node_sleep(c_uint32(60))
    assert (node.get("started"), node.get("slept")) == (0, 0)


@pytest.mark.parametrize("chunk", [0, 3])
def test_node_with_implicit_header_sends_one_chunk_only(tmp_path: Path, chunk: int) -> None:
    node = Node(tmp_path, "-DINKLING_LORA_IMPLICIT=1", f"-DINKLING_LORA_CHUNK={chunk}")
    answers = [node.check(asked) for asked in (0, 1, 2, 3, LONGEST_PREFIX)]
    assert answers == [0 if asked in (chunk, LONGEST_PREFIX) else ErrorCode.BAD_ARGUMENT for asked in (0, 1, 2, 3, 255)]
    error, report = node.send(LONGEST_PREFIX)
    assert (error, report.sent.chunk) == (0, chunk)
    implicit_s = air_time_s(len(node.packet()), 7, explicit_header=False)
    assert report.sent.air_micros == round(1e6 * implicit_s)


@pytest.mark.parametrize("chunk", [1, ANSWER])
def test_adaptive_mode_with_implicit_header_sends_what_has_its_length(tmp_path: Path, chunk: int) -> None:
    node = Node(tmp_path, "-DINKLING_LORA_IMPLICIT=1", f"-DINKLING_LORA_CHUNK={chunk}")
    assert node.send_image(SURE) == node.send_image(UNSURE) == (0, chunk)
    implicit_s = air_time_s(PACKET_BYTES[chunk], 7, explicit_header=False)
    error, report = node.send_answer(Answer(0, 0)) if chunk == ANSWER else node.send(1)
    assert (error, report.sent.air_micros) == (0, round(1e6 * implicit_s))
    other = Mode.FEATURES if chunk == ANSWER else Mode.ANSWER
    node.set_mode(other)
    assert node.send_image(SURE)[0] == ErrorCode.BAD_ARGUMENT


def test_node_with_implicit_header_refuses_a_chunk_that_the_model_lacks(tmp_path: Path) -> None:
    node = Node(tmp_path, "-DINKLING_LORA_IMPLICIT=1", "-DINKLING_LORA_CHUNK=9")
    assert node.check(9) == node.check(LONGEST_PREFIX) == node.check(0) == ErrorCode.BAD_ARGUMENT


@pytest.mark.parametrize(
    "flag",
    [
        "SPREADING_FACTOR=6",
        "CODING_RATE=4",
        "PREAMBLE=5",
        "DUTY_PERMILLE=0",
        "DUTY_PERMILLE=1001",
        "CHUNK=16",
        "CHUNK=255",
    ],
)
def test_node_with_invalid_radio_settings_does_not_compile(tmp_path: Path, flag: str) -> None:
    with pytest.raises(subprocess.CalledProcessError):
        Node(tmp_path, f"-DINKLING_LORA_{flag}")
