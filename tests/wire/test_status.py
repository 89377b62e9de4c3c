"""Status frames: fields, frames and packets."""

import json

import pytest

from tests.wire import make_vectors
from wire.control import REPLY_BIT, ErrorReply, Opcode, parse_control, reply
from wire.frame import SYNC
from wire.replies.status import (
    NOT_LIMITED,
    ResetCause,
    Status,
    parse_status,
    parse_status_packet,
    setting_byte,
    status_frame,
)

VECTORS = json.loads(make_vectors.PATH.read_text(encoding="utf-8"))["statuses"]
STATUS = Status(70_969, 266_645, 17, ResetCause.BROWN_OUT, setting_byte(2, 9), 3712, 341, 3600)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: v["device"])
def test_status_frame_matches_vectors(vector: dict) -> None:
    frame = bytes.fromhex(vector["frame"])
    control = parse_control(frame[len(SYNC) :])
    assert control is not None and (control.header.device, control.request) == (vector["device"], 0)
    status = parse_status(control)
    assert status is not None
    meanings = {"gateway": status.is_gateway, "mode": status.mode, "threshold": status.threshold}
    assert vars(status) | meanings == vector["fields"]
    assert status_frame(status, vector["device"], vector["model_number"]) == frame
    assert frame == SYNC + bytes.fromhex(vector["lora"])


def test_status_air_time_left_is_in_seconds_or_not_limited() -> None:
    assert STATUS.air_left_s == 3.41
    assert Status(0, 0, 0, 0, 0, 0, NOT_LIMITED, 60).air_left_s is None


def test_parse_status_reads_frames_that_later_firmware_makes_longer() -> None:
    longer = reply(Opcode.STATUS | REPLY_BIT, 0, STATUS.pack() + b"more", 7, 0)
    control = parse_control(longer[len(SYNC) :])
    assert control is not None and parse_status(control) == STATUS


@pytest.mark.parametrize("data", [b"", STATUS.pack()[:-1]])
def test_parse_status_refuses_what_is_too_short(data: bytes) -> None:
    control = parse_control(reply(Opcode.STATUS | REPLY_BIT, 0, data, 7, 0)[len(SYNC) :])
    assert control is not None and parse_status(control) is None


@pytest.mark.parametrize("padding", [0, 1, 219])
def test_parse_status_packet_reads_a_padded_packet(padding: int) -> None:
    control = parse_status_packet(status_frame(STATUS, 7, 1, sync=False) + bytes(padding))
    assert control is not None and control.header.device == 7 and parse_status(control) == STATUS


def test_parse_status_packet_refuses_damage_and_other_frames() -> None:
    packet = status_frame(STATUS, 7, 1, sync=False)
    for bit in range(8 * len(packet)):
        damaged = bytearray(packet)
        damaged[bit // 8] ^= 0x80 >> bit % 8
        assert parse_status_packet(bytes(damaged)) is None
    assert parse_status_packet(packet[:-1]) is None
    error = reply(Opcode.ERROR, 0, ErrorReply(16, 0).pack(), 7, 0)[len(SYNC) :]
    assert parse_status_packet(error) is None
