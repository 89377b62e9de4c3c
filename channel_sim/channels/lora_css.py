"""Symbols of LoRa's chirp spread spectrum in noise: the non-coherent receiver takes the strongest of 2**SF bins."""

import numpy as np


def receive(sent: np.ndarray, snr_db: np.ndarray, sf: int, rng: np.random.Generator) -> np.ndarray:
    """Symbols (n, S) of 0 .. 2**sf - 1 -> what the receiver takes them for, (n, S); snr_db is (n,).

    The chirps are orthogonal, so that white noise is independent from bin to bin and one symbol takes five
    random numbers, not 2**sf: the right bin's power is a noncentral chi-square with Es/N0 = 2**sf * SNR, SNR in
    the channel's bandwidth; the strongest of the others comes from its inverse distribution; which one it is, is
    uniform. Exact for an ideally synchronised receiver. The numbers drawn do not depend on the SNR.
    """
    others = (1 << sf) - 1
    amplitude = np.sqrt(10 ** (snr_db / 10) * (1 << sf))[:, None]  # of the right bin, noise power 1
    noise = rng.standard_normal((*sent.shape, 2)) * np.sqrt(0.5)
    right = (amplitude + noise[..., 0]) ** 2 + noise[..., 1] ** 2
    # P(all others < y) = (1 - exp(-y))**others; for a uniform number in logs, so that no digit is lost near 1.
    strongest = -np.log(-np.expm1(-rng.standard_exponential(sent.shape) / others))
    wrong = (sent + rng.integers(1, others + 1, sent.shape)) & others
    return np.where(strongest > right, wrong, sent)
