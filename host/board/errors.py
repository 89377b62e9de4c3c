"""What a board can say no with, and what no board at all looks like."""

from host.errors import HostError
from wire.control import ErrorCode, ErrorReply

IN_WORDS = {
    ErrorCode.BAD_HEADER: "the command's header was damaged on the way",
    ErrorCode.TOO_LONG: "the command is longer than its buffer: is the picture's size that of its model?",
    ErrorCode.BAD_CRC: "the command was damaged on the way",
    ErrorCode.TIMEOUT: "the command broke off in the middle",
    ErrorCode.UNKNOWN_COMMAND: "its firmware does not know this command: is it older than this program?",
    ErrorCode.BAD_LENGTH: "the command has a wrong length: is the picture's size that of its model?",
    ErrorCode.BAD_ARGUMENT: "the command asks for something that it does not have",
    ErrorCode.ENGINE: "its encoder failed",
    ErrorCode.OVERRUN: "bytes came faster than it took them: try a lower baud rate",
    ErrorCode.MODEL_DAMAGED: "its model or tables are damaged: flash it again",
    ErrorCode.MODEL_VERSION: "its engine is made for another version of the model's format",
    ErrorCode.MODEL_OPS: "its engine lacks an operator of the model",
    ErrorCode.MODEL_ARENA: "its arena is too small for the model",
    ErrorCode.MODEL_SHAPE: "its model's input or output is not what its tables say",
    ErrorCode.CAMERA: "it has no camera, or the camera gave no picture",
    ErrorCode.RADIO: "it has no radio to send with, or one that does not answer",
    ErrorCode.AIR_TIME: "its duty cycle allows no such packet yet: wait (a reset, too, takes its air time away)",
}
# The same command may well succeed when it is sent again.
PASSING = (ErrorCode.BAD_HEADER, ErrorCode.BAD_CRC, ErrorCode.TIMEOUT, ErrorCode.OVERRUN)

# What a board may say before it knows which command it was: its number is 0 then.
RECEIVE_FAULTS = (*PASSING, ErrorCode.TOO_LONG)


def in_words(reply: ErrorReply) -> str:
    """What an ERROR reply means, with its name; its number when this program does not know it."""
    if reply.code not in list(ErrorCode):
        return f"unknown error {reply.code}"
    code = ErrorCode(reply.code)
    return f"{IN_WORDS[code]} ({code.name})"


class DeviceError(HostError):
    """A board that does not do what was asked; the message is one line."""


class SilentBoardError(DeviceError):
    """Nothing came back at all."""


class GarbledReplyError(DeviceError):
    """Something came back, but no reply in it: noise, another baud rate, another firmware."""


class WrongModelError(DeviceError):
    """The board runs another model than the bundle's."""


class BoardError(DeviceError):
    """The board's own ERROR reply. `code` is None when this program does not know it."""

    def __init__(self, reply: ErrorReply) -> None:
        self.code = ErrorCode(reply.code) if reply.code in list(ErrorCode) else None
        super().__init__(f"the board refused: {in_words(reply)}")
