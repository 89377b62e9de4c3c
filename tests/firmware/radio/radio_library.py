"""firmware/lib/radio as a shared library, for tests against the Python implementation."""

import subprocess
from ctypes import CDLL, POINTER, Structure, c_bool, c_int8, c_size_t, c_uint8, c_uint16, c_uint32, c_uint64
from pathlib import Path

from tests.support import ROOT, wire_c

SOURCE = ROOT / "firmware" / "lib" / "radio"


class Settings(Structure):
    _fields_ = [
        ("frequency_hz", c_uint32),
        ("bandwidth_hz", c_uint32),
        ("spreading_factor", c_uint8),
        ("coding_rate", c_uint8),
        ("preamble_symbols", c_uint16),
        ("implicit_bytes", c_uint8),
        ("power_dbm", c_int8),
        ("sync_word", c_uint8),
    ]


class Duty(Structure):
    _fields_ = [("left", c_uint64), ("updated_micros", c_uint32), ("permille", c_uint16)]


_PROTOTYPES = {
    "radio_air_time_micros": (c_uint32, [POINTER(Settings), c_size_t]),
    "duty_start": (None, [POINTER(Duty), c_uint16, c_uint32]),
    "duty_slept": (None, [POINTER(Duty), c_uint32, c_uint32]),
    "duty_update": (None, [POINTER(Duty), c_uint32]),
    "duty_left_micros": (c_uint32, [POINTER(Duty)]),
    "duty_take": (c_bool, [POINTER(Duty), c_uint32]),
    "prefix_packet_bytes": (c_size_t, [POINTER(wire_c.Model), c_uint8, c_size_t]),
    "prefix_longest": (c_uint8, [POINTER(wire_c.Model), POINTER(Settings), c_size_t, c_uint32]),
}


def compile_library(folder: Path) -> CDLL:
    """Compile the library into `folder`, with warnings as errors, and load it."""
    path = folder / "libradio.so"
    flags = [*wire_c.FLAGS, f"-I{SOURCE}", "-O1", "-shared", "-fPIC"]
    subprocess.run(["gcc", *flags, "-o", path, *sorted(SOURCE.glob("*.c")), *wire_c.SOURCES], check=True)
    library = CDLL(str(path))
    for name, (result, arguments) in _PROTOTYPES.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


def settings(sf: int = 7, cr: int = 5, bandwidth_hz: int = 125_000, implicit: int = 0, preamble: int = 8) -> Settings:
    """Return the settings of a radio in EU868."""
    return Settings(868_100_000, bandwidth_hz, sf, cr, preamble, implicit, 14, 0x12)
