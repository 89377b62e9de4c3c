"""What a host demands of the frames of a device."""

from dataclasses import dataclass
from enum import IntEnum

from wire.secure.keys import Keys


class Auth(IntEnum):
    """How much of a frame is authentic. A higher value includes the lower ones."""

    NONE = 0  # anybody can have made it
    HEADER = 1  # the device sent an image with this counter, chunk and model; its payload is damaged or forged
    FULL = 2  # the device sent exactly this


@dataclass(frozen=True)
class DevicePolicy:
    """Keys of a device, and the least that its frames must be: HEADER or FULL. A revoked device has no keys."""

    keys: Keys | None
    require: Auth = Auth.HEADER
