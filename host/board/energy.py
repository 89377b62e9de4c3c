"""Energy of an image, modelled from stated currents (energy.toml) and the time that computing and sending take.

    E = V (I_chip t_encoder + I_radio t_air)

What sleeps between images, wakes, captures and boots is not in it, nor what the chip takes while the radio sends.
"""

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from wire.lora import air_time_s

FIGURES = Path(__file__).with_name("energy.toml")
VOLTS = 3.3
SPREADING_FACTORS = range(7, 13)
DEFAULT_RADIO = "sx1262"


@dataclass(frozen=True)
class Chip:
    """A microcontroller's stated current while it computes."""

    name: str
    ma: float
    mhz: float  # the clock at which that is stated
    source: str
    targets: tuple[str, ...]  # environments of platformio.ini whose boards carry it

    def millijoules(self, cycles: int, clock_hz: int) -> float:
        """Energy of so many CPU cycles at a clock, to which the current is taken as proportional."""
        return VOLTS * self.ma * (clock_hz / 1e6 / self.mhz) * (cycles / clock_hz)


@dataclass(frozen=True)
class Radio:
    """A LoRa radio's stated current while it sends."""

    name: str
    ma: float
    dbm: float  # the transmit power at which that is stated
    source: str
    targets: tuple[str, ...]

    def millijoules(self, packet_bytes: int, sf: int) -> float:
        """Energy of sending a packet at 125 kHz, coding rate 4/5, with explicit header and CRC."""
        return VOLTS * self.ma * air_time_s(packet_bytes, sf)


@cache
def chips() -> dict[str, Chip]:
    """Every chip that has a stated current, by name."""
    return {name: Chip(name, **_figures(entry)) for name, entry in _tables()["chips"].items()}


@cache
def radios() -> dict[str, Radio]:
    """Every radio that has a stated current, by name."""
    return {name: Radio(name, **_figures(entry)) for name, entry in _tables()["radios"].items()}


def chip_of(target: str) -> Chip | None:
    """The chip of a board, by its environment in platformio.ini; a gateway's is its node's."""
    return next((chip for chip in chips().values() if _is_of(target, chip.targets)), None)


def radio_of(target: str) -> Radio | None:
    """The radio of a board, likewise."""
    return next((radio for radio in radios().values() if _is_of(target, radio.targets)), None)


def _is_of(target: str, targets: tuple[str, ...]) -> bool:
    return any(target == name or target.startswith(f"{name}_") for name in targets)


@cache
def _tables() -> dict:
    return tomllib.loads(FIGURES.read_text(encoding="utf-8"))


def _figures(entry: dict) -> dict:
    return entry | {"targets": tuple(entry["targets"])}
