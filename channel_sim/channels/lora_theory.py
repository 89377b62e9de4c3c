"""Error rates of LoRa by numerical integration, to check the simulation and to find the SNR of a BER."""

import numpy as np

from channel_sim.channels.lora_coding import DECODE

_STEP = 0.02
_AMPLITUDES = np.arange(1, 1350) * _STEP  # of a bin, noise power 1; the integrand underflows beyond 27
_SIMPSON = np.where(np.arange(1, 1350) % 2, 4, 2) * _STEP / 3  # without the ends, where the integrand is 0


def scaled_bessel(x: np.ndarray) -> np.ndarray:
    """exp(-x) I0(x), relative error below 1e-11: np.i0, and beyond its range Abramowitz & Stegun 9.7.1."""
    near = np.minimum(x, 500.0)
    far = np.maximum(x, 500.0)
    series = (1 + 1 / (8 * far) + 9 / (128 * far**2) + 225 / (3072 * far**3)) / np.sqrt(2 * np.pi * far)
    return np.where(x < 500.0, np.i0(near) * np.exp(-near), series)


def symbol_error_rate(snr_db: float | np.ndarray, sf: int) -> np.ndarray:
    """Return the probability that one of 2**sf - 1 noise bins exceeds the correct one; SNR of any shape.

    Non-coherent orthogonal signalling (Proakis, Digital Communications, section 5.4): the correct bin's amplitude
    has a Rice density; the rest is 1 - (1 - exp(-r**2))**(2**sf - 1), written so that it stays accurate in
    the tail. (The closed form of Elshabrawy & Robert, 2018, is optimistic there.)
    """
    r, power = _AMPLITUDES, _AMPLITUDES**2
    beaten = -np.expm1(((1 << sf) - 1) * np.log1p(-np.exp(-power)))
    signal = np.sqrt(10 ** (np.asarray(snr_db, np.float64)[..., None] / 10) * (1 << sf))
    density = 2 * r * np.exp(-((r - signal) ** 2)) * scaled_bessel(2 * r * signal)
    return (beaten * density) @ _SIMPSON


def bit_error_rate(snr_db: float | np.ndarray, sf: int, coding_rate: int) -> np.ndarray:
    """Return the mean BER of the payload after the first block, low data rate off; same shape as snr_db.

    A symbol error flips each of its bits with probability 2**(sf-1) / (2**sf - 1), and the bits of a codeword lie in
    different symbols, which leaves a sum over the 2**coding_rate error patterns.
    """
    flipped = symbol_error_rate(snr_db, sf)[..., None] * (1 << sf - 1) / ((1 << sf) - 1)
    weights = np.array([pattern.bit_count() for pattern in range(1 << coding_rate)])
    wrong_bits = np.array([int(nibble).bit_count() for nibble in DECODE[coding_rate]])
    chances = flipped**weights * (1 - flipped) ** (coding_rate - weights)
    return chances @ wrong_bits / 4
