"""The states of the link in the comparison: spreading factors and SNRs, and which of them need a simulation."""

from dataclasses import dataclass

from channel_sim.channels.lora_theory import symbol_error_rate

SPREADING_FACTORS = tuple(range(7, 13))
CLEAN = float("inf")
SNRS_DB = (*map(float, range(-15, -4)), CLEAN)
# Rates of symbol errors. Below the first, all but one in 3,000 of the longest packets arrive undamaged; above the
# second, no opponent delivers one packet in a hundred, not even with the convolutional code and soft decisions.
CLEAN_BELOW, DEAD_ABOVE = 1e-6, 0.85


@dataclass(frozen=True)
class Cell:
    """A LoRa link at one spreading factor and SNR in dB."""

    sf: int
    snr_db: float

    @property
    def symbol_errors(self) -> float:
        """The probability that a symbol is received wrongly."""
        return 0.0 if self.snr_db == CLEAN else float(symbol_error_rate(self.snr_db, self.sf))

    @property
    def is_clean(self) -> bool:
        """True if everything arrives undamaged, so that nothing needs to be simulated."""
        return self.symbol_errors < CLEAN_BELOW

    @property
    def is_dead(self) -> bool:
        """True if nothing useful arrives."""
        return self.symbol_errors > DEAD_ABOVE

    @property
    def name(self) -> str:
        """Name for files and seeds of random numbers."""
        return f"sf{self.sf}_{snr_name(self.snr_db)}"


def snr_name(snr_db: float) -> str:
    """Return an SNR as it is a key in the figures: "-9" or "clean"."""
    return "clean" if snr_db == CLEAN else f"{snr_db:g}"
