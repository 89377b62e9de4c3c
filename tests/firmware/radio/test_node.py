"""firmware/src/node.c on a simulated board: a radio that fails, deep sleep, the order of refusals."""

import subprocess
from ctypes import c_uint32
from pathlib import Path

import pytest

from tests.firmware.radio.simulated_node import AIR, ANSWER, BUCKET, MODEL, NUMBER, PACKET_BYTES, SURE, UNSURE, Node
from wire.answer import Answer
from wire.control import LONGEST_PREFIX, ErrorCode
from wire.frame import FrameType, Header, check_crc
from wire.lora import air_time_s


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


def test_node_with_implicit_header_refuses_a_chunk_that_the_model_lacks(tmp_path: Path) -> None:
    node = Node(tmp_path, "-DINKLING_LORA_IMPLICIT=1", "-DINKLING_LORA_CHUNK=9")
    assert node.check(9) == node.check(LONGEST_PREFIX) == node.check(0) == ErrorCode.BAD_ARGUMENT


def without(folder: Path, count: str) -> str:
    """Write the model's header with a count of 0, and return the compiler's flag for it."""
    header = f'#include "{MODEL / "inkling_model.h"}"\n#undef {count}\n#define {count} 0u\n'
    folder.mkdir()
    (folder / "inkling_model.h").write_text(header)
    return f"-I{folder}"


def test_node_whose_model_only_answers_has_implicit_headers_of_answers(tmp_path: Path) -> None:
    answers = without(tmp_path / "answers", "INKLING_SYMBOL_COUNT")
    node = Node(tmp_path, answers, "-DINKLING_LORA_IMPLICIT=1")
    assert node.send_image(UNSURE) == node.send_image(SURE) == (0, ANSWER)
    features = without(tmp_path / "features", "INKLING_CLASS_COUNT")
    for flags in ((answers, "-DINKLING_LORA_CHUNK=0"), (features, "-DINKLING_LORA_CHUNK=254")):
        with pytest.raises(subprocess.CalledProcessError):
            Node(tmp_path, *flags)


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


def test_node_refuses_a_packet_for_which_the_watchdog_might_not_wait(tmp_path: Path) -> None:
    """At SF12 and 7.8 kHz, features of 17 bytes take 21 s and an answer 16 s; 18 s is the limit."""
    settings = ("SPREADING_FACTOR=12", "BANDWIDTH_HZ=7800", "DUTY_PERMILLE=1000")
    node = Node(tmp_path, *(f"-DINKLING_LORA_{setting}" for setting in settings))
    assert air_time_s(17, 12, bandwidth_hz=7800) > 18 > air_time_s(8, 12, bandwidth_hz=7800)
    assert node.check(0) == node.check(LONGEST_PREFIX) == ErrorCode.BAD_ARGUMENT
    assert node.send_answer(Answer(0, 0))[0] == 0
