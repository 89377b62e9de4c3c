"""Modelled energy per image: the encoder's instructions on a Cortex-M4, and the radio's air time.

    E = V (I_chip t_encoder + I_send t_air + I_receive t_listen)

The currents are those of `host/board/energy.toml`. QEMU counts instructions, not cycles: one cycle per instruction is
assumed, which is too few on a real board by the same factor for every scheme. Sleep, wake-up, the camera and the chip's
current while the radio sends are left out, also for every scheme.
"""

from dataclasses import dataclass

from host.board.energy import Chip, Radio, chips, radios

CHIP, RADIO = "stm32l476", "sx1262"


@dataclass(frozen=True)
class EnergyModel:
    """A chip and a radio."""

    chip: Chip
    radio: Radio

    @classmethod
    def default(cls) -> "EnergyModel":
        """Return the model behind the figures: a Cortex-M4 with a stated current, and the usual LoRa radio."""
        return cls(chips()[CHIP], radios()[RADIO])

    def millijoules(self, instructions: int, air_s: float, listen_s: float = 0.0) -> float:
        """Return the energy of one image."""
        clock_hz = round(self.chip.mhz * 1e6)
        encoding = self.chip.millijoules(instructions, clock_hz)
        return encoding + self.radio.sending_mj(air_s) + self.radio.receiving_mj(listen_s)

    def as_json(self) -> dict[str, str | float]:
        """Return the assumptions for the page."""
        return {
            "chip": self.chip.name,
            "chip_ma": self.chip.ma,
            "chip_mhz": self.chip.mhz,
            "chip_source": self.chip.source,
            "radio": self.radio.name,
            "send_ma": self.radio.ma,
            "dbm": self.radio.dbm,
            "receive_ma": self.radio.rx_ma,
            "radio_source": self.radio.source,
        }
