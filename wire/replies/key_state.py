"""The KEY reply: what a board says of its device key, which it never shows."""

import struct
from dataclasses import dataclass

from wire.control import NumberFields

_HAS_KEY_BIT, _PERMANENT_BIT = 0x01, 0x02


@dataclass(frozen=True)
class KeyState(NumberFields):
    """The KEY reply, as it is sent. The properties are what the fields mean."""

    flags: int
    counter: int  # of the board's next image

    FORMAT = struct.Struct(">BI")
    NAME = "a KEY reply"

    @property
    def has_key(self) -> bool:
        """True if the board has a key: it sends secured frames only."""
        return bool(self.flags & _HAS_KEY_BIT)

    @property
    def is_permanent(self) -> bool:
        """True if the board keeps its key without power; false if it loses key and counter when it restarts."""
        return bool(self.flags & _PERMANENT_BIT)


def key_flags(has_key: bool, permanent: bool) -> int:
    """Return the flags of a KEY reply."""
    return _HAS_KEY_BIT * has_key | _PERMANENT_BIT * permanent
