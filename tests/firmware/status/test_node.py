"""Status frames of firmware/src/node.c on a simulated board: the packet, the air time, implicit headers."""

from pathlib import Path

import pytest

from tests.firmware.radio.simulated_node import AIR, BUCKET, NUMBER, STATUS, STATUS_AIR, Node
from wire.control import REPLY_BIT, ErrorCode, Opcode, reply
from wire.frame import SYNC
from wire.lora import air_time_s
from wire.replies.status import NOT_LIMITED

STATUS_PACKET = reply(Opcode.STATUS | REPLY_BIT, 0, STATUS, 7, NUMBER)[len(SYNC) :]
MARGIN = STATUS_AIR + AIR[0]  # a status frame and the longest image


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


def test_node_sends_the_status_frame_without_sync(node: Node) -> None:
    assert node.send_status() == 0
    assert node.packet() == STATUS_PACKET
    assert node.c.node_status_micros() == STATUS_AIR


def test_node_counts_the_air_time_of_status_frames(node: Node) -> None:
    for sent in range(1, 21):
        assert node.send_status() == 0
        assert node.air_left_cs() == (BUCKET - sent * STATUS_AIR) // 10_000
    node.set(sends=False)
    assert node.send_status() == ErrorCode.RADIO
    node.set(sends=True)
    assert node.left() == BUCKET - 21 * STATUS_AIR, "a radio that reports a failure may have sent"


def test_node_that_is_patient_leaves_air_time_for_the_longest_image(node: Node) -> None:
    node.leave(MARGIN - 1000)
    assert node.send_status() == ErrorCode.AIR_TIME
    node.gain(1000)
    assert node.send_status() == 0
    assert node.send(0)[0] == 0, "the image is not delayed"


def test_node_that_is_impatient_needs_air_time_for_the_status_frame_only(node: Node) -> None:
    node.leave(STATUS_AIR - 1000)
    assert node.send_status(patient=False) == ErrorCode.AIR_TIME
    assert node.get("started") == 1 and node.packet() != STATUS_PACKET
    node.gain(1000)
    assert node.send_status(patient=True) == ErrorCode.AIR_TIME
    assert node.send_status(patient=False) == 0


def test_node_sends_patient_status_frames_with_a_small_bucket(tmp_path: Path) -> None:
    """The whole bucket of 0.1 % is less than two packets: a status frame waits until it is full."""
    node = Node(tmp_path, "-DINKLING_LORA_SPREADING_FACTOR=9", "-DINKLING_LORA_DUTY_PERMILLE=1")
    assert 1e6 * (air_time_s(36, 9) + air_time_s(8, 9)) > BUCKET / 10
    assert node.send_status() == 0
    assert node.send_status() == ErrorCode.AIR_TIME
    node.wait_an_hour()
    assert node.send_status() == 0


def test_node_without_a_limit_reports_no_air_time(tmp_path: Path) -> None:
    assert Node(tmp_path, "-DINKLING_LORA_DUTY_PERMILLE=1000").air_left_cs() == NOT_LIMITED


def test_node_with_implicit_header_of_short_packets_sends_no_status(tmp_path: Path) -> None:
    node = Node(tmp_path, "-DINKLING_LORA_IMPLICIT=1")
    assert node.send_status() == ErrorCode.BAD_ARGUMENT
    assert node.packet() == b"" and node.air_left_cs() == BUCKET // 10_000


def test_node_with_implicit_header_pads_the_status_frame(tmp_path: Path) -> None:
    """All packets have the length of the chunk: here the longest, since the model has no such chunk."""
    node = Node(tmp_path, "-DINKLING_LORA_IMPLICIT=1", "-DINKLING_LORA_CHUNK=9")
    assert node.send_status(patient=False) == 0
    assert node.packet() == STATUS_PACKET + bytes(255 - len(STATUS_PACKET))
    air = round(1e6 * air_time_s(255, 7, explicit_header=False))
    assert node.c.node_status_micros() == air
    assert node.air_left_cs() == (BUCKET - air) // 10_000
