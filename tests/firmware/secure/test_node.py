"""Secured packets of firmware/src/node.c on a simulated board: their bytes, lengths and air time."""

from pathlib import Path

import numpy as np
import pytest

from tests.firmware.radio.simulated_node import (
    BUCKET,
    DEVICE_KEY,
    NUMBER,
    PACKET_BYTES,
    STATUS,
    UNSURE,
    Node,
    outputs_with,
)
from wire.answer import Answer
from wire.control import ANSWER_SENT, LONGEST_PREFIX, ErrorCode, Mode
from wire.lora import air_time_s
from wire.payload import pack
from wire.replies.status import Status
from wire.secure.frames import SecuredDevice
from wire.secure.keys import Keys
from wire.secure.status import secured_status_frame

KEYS = Keys.derive(DEVICE_KEY)
DEVICE = SecuredDevice(KEYS, 7, NUMBER, 5)
ORDER = [7, 3, 11, 0, 1, 10, 4, 5, 2, 9, 8]  # of the stub's symbols
EXTRA = 10  # bytes of a secured feature frame
COUNTER = 0x01020345


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path, key=True)


def features(chunk: int) -> bytes:
    """Return the secured packet of the outputs that Node.send() sends, by Python."""
    first, count = [(0, 11), (0, 4)][chunk]
    outputs = list(outputs_with(UNSURE))
    symbols = [(outputs[place] + 128) // 32 for place in ORDER[first : first + count]]
    packed = Answer(0, 0).word.to_bytes(2, "big") + pack(np.array(symbols), 3)
    return DEVICE.feature_frame(COUNTER, chunk, packed, 16 + 3 * count, sync=False)


@pytest.mark.parametrize("chunk", [0, 1])
def test_node_with_a_key_sends_the_secured_packet_of_python(node: Node, chunk: int) -> None:
    error, report = node.send(chunk, COUNTER)
    assert error == 0 and node.packet() == features(chunk)
    assert len(node.packet()) == PACKET_BYTES[chunk] + EXTRA
    assert report.sent.air_micros == round(1e6 * air_time_s(PACKET_BYTES[chunk] + EXTRA, 7))


def test_node_with_a_key_sends_the_secured_answer_of_python(node: Node) -> None:
    error, report = node.send_answer(Answer(3, 12), COUNTER)
    assert error == 0 and node.packet() == DEVICE.answer_frame(COUNTER, Answer(3, 12), sync=False)
    assert len(node.packet()) == 16
    assert report.sent.air_micros == round(1e6 * air_time_s(16, 7))


def test_node_with_a_key_chooses_prefixes_by_their_secured_length(node: Node) -> None:
    air = {chunk: round(1e6 * air_time_s(PACKET_BYTES[chunk] + EXTRA, 7)) for chunk in (0, 1)}
    assert air[0] > air[1]
    node.leave(air[0] - 1000)
    assert node.send(LONGEST_PREFIX)[1].sent.chunk == 1
    node.leave(air[1] - 1000)
    assert node.check(LONGEST_PREFIX) == ErrorCode.AIR_TIME
    node.set_mode(Mode.ADAPTIVE, 15)
    assert node.send_image(UNSURE) == (0, ANSWER_SENT)


def test_node_with_a_key_sends_secured_status_frames(node: Node) -> None:
    assert node.send_status() == 0
    assert node.packet() == secured_status_frame(KEYS, Status.unpack(STATUS), 7, NUMBER, sync=False)
    air = round(1e6 * air_time_s(44, 7))
    assert len(node.packet()) == 44 and node.c.node_status_micros() == air
    assert node.air_left_cs() == (BUCKET - air) // 10_000


@pytest.mark.parametrize(("chunk", "size"), [(0, PACKET_BYTES[0] + EXTRA), (254, 16)])
def test_node_with_a_key_and_implicit_header_has_longer_packets(tmp_path: Path, chunk: int, size: int) -> None:
    node = Node(tmp_path, "-DINKLING_LORA_IMPLICIT=1", f"-DINKLING_LORA_CHUNK={chunk}", key=True)
    error = (node.send(0) if chunk == 0 else node.send_answer(Answer(0, 0)))[0]
    assert error == 0 and len(node.packet()) == size == node.get("implicit")
    assert node.send_status() == ErrorCode.BAD_ARGUMENT, "it does not fit"


def test_node_with_implicit_header_pads_the_secured_status_frame(tmp_path: Path) -> None:
    """All packets have the length of the chunk: here the longest, since the model has no such chunk."""
    node = Node(tmp_path, "-DINKLING_LORA_IMPLICIT=1", "-DINKLING_LORA_CHUNK=9", key=True)
    assert node.send_status(patient=False) == 0
    expected = secured_status_frame(KEYS, Status.unpack(STATUS), 7, NUMBER, sync=False)
    assert node.packet() == expected + bytes(255 - len(expected))


def test_node_sets_up_its_radio_anew_for_a_new_key(tmp_path: Path) -> None:
    node = Node(tmp_path, "-DINKLING_LORA_IMPLICIT=1", "-DINKLING_LORA_CHUNK=254")
    assert node.send_answer(Answer(0, 0))[0] == 0 and node.get("implicit") == 8
    node.set(key=True)
    node.c.counter_start()
    node.c.secure_start()
    node.c.node_restart()
    assert node.send_answer(Answer(0, 0))[0] == 0
    assert (node.get("implicit"), len(node.packet()), node.get("started")) == (16, 16, 2)
