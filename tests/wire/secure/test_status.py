"""Tests of secured status frames in Python: built, opened, and refused when anything in them changed."""

import pytest
from cryptography.hazmat.primitives.ciphers.algorithms import AES128
from cryptography.hazmat.primitives.cmac import CMAC

from wire.control import Control, parse_control
from wire.frame import FrameType, Header
from wire.replies.key_state import KeyState, key_flags
from wire.replies.status import Status, parse_status
from wire.secure.keys import Keys
from wire.secure.status import SECURED_STATUS, open_status, secured_status_frame

KEYS = Keys.derive(bytes(range(16)))
DEVICE, MODEL = 7, 0x5EED1234
STATUS = Status(
    counter=0x00010009, uptime_s=266645, boots=17, reset_cause=4, setting=0x29, battery_mv=3712, air_left_cs=341,
    period_s=3600,
)  # fmt: skip


def test_status_frame_has_its_data_and_the_tag_of_the_specification() -> None:
    packet = secured_status_frame(KEYS, STATUS, DEVICE, MODEL, sync=False)
    control = parse_control(packet)
    assert control is not None and len(packet) == 44
    cmac = CMAC(AES128(KEYS.authentication))
    cmac.update(bytes([7, DEVICE]) + bytes.fromhex("00010009") + bytes(6) + bytes.fromhex("5EED1234") + STATUS.pack())
    assert control == Control(
        Header(FrameType.REPLY, DEVICE, 0, MODEL % 32, 0), SECURED_STATUS, 0, STATUS.pack() + cmac.finalize()[:8]
    )
    assert open_status(KEYS, control, MODEL) == STATUS
    assert parse_status(control) is None, "a host without the key must not believe it"


def test_status_is_refused_after_any_change() -> None:
    control = parse_control(secured_status_frame(KEYS, STATUS, DEVICE, MODEL, sync=False))
    assert control is not None
    for bit in range(8 * len(control.data)):
        data = bytearray(control.data)
        data[bit // 8] ^= 1 << bit % 8
        assert open_status(KEYS, Control(control.header, control.opcode, 0, bytes(data)), MODEL) is None
    other = Header(FrameType.REPLY, DEVICE + 1, 0, MODEL % 32, 0)
    assert open_status(KEYS, Control(other, control.opcode, 0, control.data), MODEL) is None
    assert open_status(KEYS, control, MODEL + 32) is None
    assert open_status(Keys.derive(bytes(16)), control, MODEL) is None


@pytest.mark.parametrize("size", [0, 8, 27])
def test_status_that_is_too_short_is_refused(size: int) -> None:
    control = parse_control(secured_status_frame(KEYS, STATUS, DEVICE, MODEL, sync=False))
    assert control is not None
    assert open_status(KEYS, Control(control.header, control.opcode, 0, control.data[:size]), MODEL) is None


@pytest.mark.parametrize(("has_key", "permanent"), [(False, False), (True, False), (True, True)])
def test_key_reply_says_if_there_is_a_key_and_if_it_lasts(has_key: bool, permanent: bool) -> None:
    state = KeyState.unpack(KeyState(key_flags(has_key, permanent), 70969).pack())
    assert (state.has_key, state.is_permanent, state.counter) == (has_key, permanent, 70969)
