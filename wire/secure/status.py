"""Secured status frames: made by a board with a key, exact or refused."""

import hmac

from wire.control import REPLY_BIT, SEALED_BIT, Control, Opcode, reply
from wire.frame import SYNC
from wire.replies.status import Status
from wire.secure.keys import Keys, Purpose, block

STATUS_TAG_BYTES = 8
SECURED_STATUS = Opcode.STATUS | REPLY_BIT | SEALED_BIT


def secured_status_frame(keys: Keys, status: Status, device: int, model_number: int, sync: bool = True) -> bytes:
    """Return a status frame as a board with a key sends it. sync: false for LoRa, whose packets need none."""
    data = status.pack()
    tag = _tag(keys, device, status.counter, model_number, data)
    frame = reply(SECURED_STATUS, 0, data + tag, device, model_number)
    return frame if sync else frame[len(SYNC) :]


def open_status(keys: Keys, control: Control, model_number: int) -> Status | None:
    """Return the status in a control frame; None unless it is a secured one, made with this key for this model.

    It may still be old: see SPEC.md, "Secured status frames".
    """
    size = len(control.data) - STATUS_TAG_BYTES
    if control.opcode != SECURED_STATUS or size < Status.FORMAT.size:
        return None
    data, tag = control.data[:size], control.data[size:]
    status = Status.unpack(data)
    expected = _tag(keys, control.header.device, status.counter, model_number, data)
    return status if hmac.compare_digest(expected, tag) else None


def _tag(keys: Keys, device: int, counter: int, model_number: int, data: bytes) -> bytes:
    first = block(Purpose.TAG_STATUS, device, counter, model_number=model_number)
    return keys.tag(first + data)[:STATUS_TAG_BYTES]
