"""The STATUS reply, which a board sends unasked: at boot and then periodically, on a line or by radio."""

import struct
from dataclasses import dataclass
from enum import IntEnum

from wire.control import REPLY_BIT, SEALED_BIT, Control, NumberFields, Opcode, parse_control, reply
from wire.frame import SYNC, FrameType

NOT_LIMITED = 0xFFFF  # in place of the remaining air time
_GATEWAY_BIT, _MODE_SHIFT, _MODE_MASK, _THRESHOLD_MASK = 0x80, 4, 0x7, 0xF


class ResetCause(IntEnum):
    """Causes of a board's last reset."""

    UNKNOWN = 0
    POWER_ON = 1
    RESET_PIN = 2
    SOFTWARE = 3
    WATCHDOG = 4
    BROWN_OUT = 5
    CRASH = 6
    DEEP_SLEEP = 7  # the board woke from it; its uptime includes the sleep


@dataclass(frozen=True)
class Status(NumberFields):
    """The STATUS reply: a board's health, as it is sent. The properties are what the fields mean."""

    counter: int  # 32-bit number of the next unsolicited image; its low 5 bits are that image's sequence number
    uptime_s: int  # since power-up or reset, deep sleep included
    boots: int  # 0 = unknown
    reset_cause: int  # a ResetCause; later firmware may have others
    setting: int  # gateway, mode and threshold: see `setting_byte`
    battery_mv: int  # 0 = unknown
    air_left_cs: int  # hundredths of a second that the duty cycle still allows; NOT_LIMITED
    period_s: int  # seconds to the next status frame

    FORMAT = struct.Struct(">IIIBBHHH")
    NAME = "a STATUS reply"

    @property
    def is_gateway(self) -> bool:
        """True for a gateway, false for a node and for a board without a radio."""
        return bool(self.setting & _GATEWAY_BIT)

    @property
    def mode(self) -> int:
        """The board's Mode; later firmware may have others."""
        return self.setting >> _MODE_SHIFT & _MODE_MASK

    @property
    def threshold(self) -> int:
        """The confidence level from which the adaptive mode answers, 0..15."""
        return self.setting & _THRESHOLD_MASK

    @property
    def air_left_s(self) -> float | None:
        """The air time that the duty cycle still allows, in seconds; None without a limit or a radio that sends."""
        return None if self.air_left_cs == NOT_LIMITED else self.air_left_cs / 100


def setting_byte(mode: int, threshold: int, gateway: bool = False) -> int:
    """Return the byte of gateway (bit 7), mode (bits 6..4) and threshold (bits 3..0)."""
    return _GATEWAY_BIT * gateway | mode << _MODE_SHIFT | threshold


def status_frame(status: Status, device: int, model_number: int, sync: bool = True) -> bytes:
    """Return a status frame as a board sends it. sync: false for LoRa, whose packets need none."""
    frame = reply(Opcode.STATUS | REPLY_BIT, 0, status.pack(), device, model_number)
    return frame if sync else frame[len(SYNC) :]


def parse_status(control: Control) -> Status | None:
    """Return the status in a control frame; None if it is another frame, or too short to be one."""
    if control.opcode != Opcode.STATUS | REPLY_BIT or len(control.data) < Status.FORMAT.size:
        return None
    return Status.unpack(control.data)


def parse_status_packet(packet: bytes) -> Control | None:
    """Return the control frame of a plain or secured status in a radio packet, which may be padded.

    None if it is damaged or another.
    """
    control = parse_control(packet)
    if control is None or control.header.type != FrameType.REPLY or len(control.data) < Status.FORMAT.size:
        return None
    return control if control.opcode & ~SEALED_BIT == Opcode.STATUS | REPLY_BIT else None
