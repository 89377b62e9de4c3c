"""Channel models by their mean bit error rate, for training and comparisons."""

from collections.abc import Callable
from functools import lru_cache
from statistics import NormalDist

import numpy as np

from channel_sim.channels.bsc import BitFlips
from channel_sim.channels.channel import Channel, ChannelError
from channel_sim.channels.gilbert_elliott import GilbertElliott
from channel_sim.channels.lora import LoRa
from channel_sim.channels.lora_theory import bit_error_rate
from channel_sim.channels.psk import Psk

COHERENCE_SYMBOLS = 64  # fast fading would be just independent flips


def at_ber(name: str, ber: float | np.ndarray) -> Channel:
    """Return the model `name` of AT_BER at a mean BER of 0 to 0.5, a number or an array (n,). It loses no frames.

    Raises ChannelError for an unknown name or a rate out of range.
    """
    if name not in AT_BER:
        raise ChannelError(f"unknown channel {name!r}; known: {', '.join(AT_BER)}")
    rate = np.asarray(ber, np.float64)
    if not np.all((rate >= 0) & (rate <= 0.5)):
        raise ChannelError("a bit error rate lies between 0 and 0.5")
    with np.errstate(divide="ignore"):  # a rate of 0 means infinite SNR, 0.5 none: both are valid in dB
        return AT_BER[name](rate)


def _bpsk_awgn(rate: np.ndarray) -> Channel:
    """BER = Q(sqrt(2 Eb/N0))."""
    normal = NormalDist()
    amplitude = np.reshape([-normal.inv_cdf(p) if p else np.inf for p in rate.flat], rate.shape)
    return Psk(10 * np.log10(amplitude**2 / 2))


def _bpsk_rayleigh(rate: np.ndarray) -> Channel:
    """BER = (1 - sqrt(g / (1 + g))) / 2 for a mean Eb/N0 of g."""
    root = (1 - 2 * rate) ** 2
    return Psk(10 * np.log10(root / (1 - root)), coherence_symbols=COHERENCE_SYMBOLS)


@lru_cache(1)
def _lora_rates() -> tuple[np.ndarray, np.ndarray]:
    """Return SNRs in dB, ascending, and the logarithm of LoRa's BER at each, for SF7 and 4/5."""
    snr_db = np.arange(-50.0, 0.0, 0.1)
    return snr_db, np.log(bit_error_rate(snr_db, 7, 5))


def _lora(rate: np.ndarray) -> Channel:
    """SF7, 4/5, implicit header. The first 5 nibbles are always sent at 4/8 and have a lower BER than `ber`."""
    snr_db, log_rates = _lora_rates()
    snr_of_rate_db = np.interp(-np.log(rate), -log_rates, snr_db)
    return LoRa(np.where(rate > 0, snr_of_rate_db, np.inf), explicit_header=False)


AT_BER: dict[str, Callable[[np.ndarray], Channel]] = {
    "bsc": BitFlips,
    "gilbert-elliott": GilbertElliott.bursts,
    "bpsk-awgn": _bpsk_awgn,
    "bpsk-rayleigh": _bpsk_rayleigh,
    "lora": _lora,
}
