"""Errors of boards, and the messages for the error codes that boards report."""

from host.errors import HostError
from wire.control import ErrorCode, ErrorReply

MESSAGES = {
    ErrorCode.BAD_HEADER: "the header of the command was damaged",
    ErrorCode.TOO_LONG: "the command exceeds its buffer: check that the image has the size of its model's input",
    ErrorCode.BAD_CRC: "the command was damaged",
    ErrorCode.TIMEOUT: "the command stopped in the middle",
    ErrorCode.UNKNOWN_COMMAND: "its firmware does not know this command: flash newer firmware",
    ErrorCode.BAD_LENGTH: "the command has the wrong length: check that the image has the size of its model's input",
    ErrorCode.BAD_ARGUMENT: "an argument of the command is out of range",
    ErrorCode.ENGINE: "its encoder failed",
    ErrorCode.OVERRUN: "bytes arrived faster than it reads them: try a lower baud rate",
    ErrorCode.MODEL_DAMAGED: "its model or tables are damaged: flash it again",
    ErrorCode.MODEL_VERSION: "its engine supports another version of the model format",
    ErrorCode.MODEL_OPS: "its engine lacks an operator of the model",
    ErrorCode.MODEL_ARENA: "its arena is too small for the model",
    ErrorCode.MODEL_SHAPE: "the input or output of its model does not match its tables",
    ErrorCode.CAMERA: "it has no camera, or the camera returned no image",
    ErrorCode.RADIO: "it has no radio, or the radio does not respond",
    ErrorCode.NOT_AUTHENTIC: "it has a key, and executes this command only if it is sealed with the key",
    ErrorCode.MEMORY: "its permanent memory failed, so that its key cannot be used: replace it, or erase it whole",
    ErrorCode.AIR_TIME: "its duty cycle does not allow this packet yet: wait (a reset also clears its air time)",
}
# The same command may succeed when it is sent again.
TRANSIENT = (ErrorCode.BAD_HEADER, ErrorCode.BAD_CRC, ErrorCode.TIMEOUT, ErrorCode.OVERRUN)
# Errors in receiving a command. Boards may report them with request number 0, before they know the command's own.
RECEIVE_ERRORS = (*TRANSIENT, ErrorCode.TOO_LONG)


def describe(reply: ErrorReply) -> str:
    """Return the message and name of an ERROR reply's code, or its number if this program does not know it."""
    if reply.code not in list(ErrorCode):
        return f"unknown error {reply.code}"
    code = ErrorCode(reply.code)
    return f"{MESSAGES[code]} ({code.name})"


class DeviceError(HostError):
    """A command to a board failed. The message is one line."""


class SilentBoardError(DeviceError):
    """Nothing was received."""


class GarbledReplyError(DeviceError):
    """Bytes were received, but no valid reply: noise, another baud rate, or incompatible firmware."""


class WrongModelError(DeviceError):
    """The board does not run the bundle's model."""


class KeyMismatchError(DeviceError):
    """The board and the key file do not agree on the board's key."""


class BoardError(DeviceError):
    """The board reported an error. `code` is None if this program does not know it.

    next_counter: of the board's next image, if it reported NOT_AUTHENTIC with it.
    """

    def __init__(self, reply: ErrorReply, next_counter: int | None = None) -> None:
        self.next_counter = next_counter
        self.code = ErrorCode(reply.code) if reply.code in list(ErrorCode) else None
        super().__init__(f"the board reported an error: {describe(reply)}")
