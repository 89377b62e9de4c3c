"""Energy per image, modelled from currents in data sheets (energy.toml) and the times of computing and sending.

    E = V (I_chip t_encoder + I_radio t_air)

The model leaves out sleep, waking up, the camera, booting, and the chip's current while the radio sends.
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
    mhz: float  # clock for which the current is stated
    source: str
    targets: tuple[str, ...]  # environments of platformio.ini whose boards have this chip

    def millijoules(self, cycles: int, clock_hz: int) -> float:
        """Return the energy of CPU cycles at a clock. The current is assumed proportional to the clock."""
        return VOLTS * self.ma * (clock_hz / 1e6 / self.mhz) * (cycles / clock_hz)


@dataclass(frozen=True)
class Radio:
    """A LoRa radio's stated currents while it sends and while it receives."""

    name: str
    ma: float
    dbm: float  # transmit power for which the current is stated
    rx_ma: float
    source: str
    targets: tuple[str, ...]

    def millijoules(self, packet_bytes: int, sf: int) -> float:
        """Return the energy of sending a packet at 125 kHz, coding rate 4/5, with explicit header and CRC."""
        return self.sending_mj(air_time_s(packet_bytes, sf))

    def sending_mj(self, seconds: float) -> float:
        """Return the energy in mJ of sending for so long."""
        return VOLTS * self.ma * seconds

    def receiving_mj(self, seconds: float) -> float:
        """Return the energy in mJ of receiving, or waiting for an acknowledgement, for so long."""
        return VOLTS * self.rx_ma * seconds


@cache
def chips() -> dict[str, Chip]:
    """Return the chips that have a stated current, by name."""
    return {name: Chip(name, **_fields(entry)) for name, entry in _tables()["chips"].items()}


@cache
def radios() -> dict[str, Radio]:
    """Return the radios that have a stated current, by name."""
    return {name: Radio(name, **_fields(entry)) for name, entry in _tables()["radios"].items()}


def chip_of(target: str) -> Chip | None:
    """Return the chip of a board, given its environment in platformio.ini. A gateway has the chip of its node."""
    return next((chip for chip in chips().values() if _is_among(target, chip.targets)), None)


def radio_of(target: str) -> Radio | None:
    """Return the radio of a board, given its environment in platformio.ini."""
    return next((radio for radio in radios().values() if _is_among(target, radio.targets)), None)


def _is_among(target: str, targets: tuple[str, ...]) -> bool:
    return any(target == name or target.startswith(f"{name}_") for name in targets)


@cache
def _tables() -> dict:
    return tomllib.loads(FIGURES.read_text(encoding="utf-8"))


def _fields(entry: dict) -> dict:
    return entry | {"targets": tuple(entry["targets"])}
