"""Sealed commands: commands that a board with a key executes, because only a holder of the key can make them.

The seal follows the command's data: the counter of the board's next image and a tag. A board executes a sealed command
only while that is the counter of its next image.
"""

import struct

from wire import control
from wire.control import ErrorCode
from wire.frame import ANY_DEVICE
from wire.secure.keys import Keys, Purpose, block

SEAL_BYTES = 12
COMMAND_TAG_BYTES = 8
_NOT_AUTHENTIC = struct.Struct(">BBI")  # code, opcode, counter of the board's next image


def sealed_command(keys: Keys, device: int, counter: int, opcode: int, request: int, data: bytes = b"") -> bytes:
    """Return a sealed command frame. opcode: that of the plain command; counter: of the board's next image.

    Raises ValueError for device 255, as a board checks the seal with its own number, and for a number out of range.
    """
    if not 0 <= opcode < control.SEALED_BIT:
        raise ValueError(f"commands up to {control.SEALED_BIT - 1:#x} can be sealed, got {opcode:#x}")
    if device == ANY_DEVICE:
        raise ValueError("a sealed command names its board, not any (255)")
    sealed = opcode | control.SEALED_BIT
    message = bytearray(block(Purpose.TAG_COMMAND, device, counter))
    message[6:8] = sealed, request
    tag = keys.tag(bytes(message) + data)[:COMMAND_TAG_BYTES]
    return control.command(sealed, request, data + counter.to_bytes(4, "big") + tag, device)


def next_counter(error: bytes) -> int | None:
    """Return the counter of the board's next image from the data of an ERROR reply; None if it is another error.

    The reply is not authentic. Raises ValueError if a NOT_AUTHENTIC error has no counter.
    """
    if error[:1] != bytes([ErrorCode.NOT_AUTHENTIC]):
        return None
    if len(error) < _NOT_AUTHENTIC.size:
        raise ValueError(f"a NOT_AUTHENTIC error has {_NOT_AUTHENTIC.size} bytes of data, got {len(error)}")
    counter: int = _NOT_AUTHENTIC.unpack_from(error)[2]
    return counter
