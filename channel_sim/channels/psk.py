"""BPSK and Gray-coded QPSK with hard decisions, in white noise or Rayleigh fading, drawn symbol by symbol."""

from collections.abc import Callable

import numpy as np

from channel_sim.channels.channel import Channel, ChannelError


class Psk(Channel):
    """Phase shift keying over white Gaussian noise (Proakis, Digital Communications, sections 4.3 and 13.3).

    ebn0_db: energy per *bit* over the noise density, a number or an array (n,) with one value per frame of `flips`.
    bits_per_symbol: 1 (BPSK) or 2 (QPSK: Es/N0 is 3 dB above Eb/N0). coherence_symbols: None for a constant channel;
    else Rayleigh fading with a new gain of mean power 1 after this many symbols (1: fast fading) and at the start of
    each frame. Phase and timing are known to the receiver. Raises ChannelError if a value is out of range.
    """

    def __init__(
        self, ebn0_db: float | np.ndarray, bits_per_symbol: int = 1, coherence_symbols: int | None = None
    ) -> None:
        self.ebn0_db = np.asarray(ebn0_db, np.float64)
        if self.ebn0_db.ndim > 1 or np.isnan(self.ebn0_db).any():
            raise ChannelError("Eb/N0 is in dB: one number, or one per frame")
        if bits_per_symbol not in (1, 2):
            raise ChannelError(f"BPSK has 1 bit per symbol and QPSK 2, got {bits_per_symbol}")
        if coherence_symbols is not None and coherence_symbols < 1:
            raise ChannelError(f"the coherence time is at least 1 symbol, got {coherence_symbols}")
        self.bits_per_symbol, self.coherence_symbols = bits_per_symbol, coherence_symbols

    def flips(self, n: int, bits: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """See Channel.flips. A last symbol that is not filled by bits is sent whole."""
        symbols = -(-bits // self.bits_per_symbol)
        gains = np.ones((n, 1))
        if self.coherence_symbols:
            fades = _rayleigh((n, -(-symbols // self.coherence_symbols)), rng)
            gains = fades[:, np.arange(symbols) // self.coherence_symbols]
        return self._decide(gains, (n, symbols), rng)[:, :bits], np.zeros(n, bool)

    def line(self, rng: np.random.Generator) -> Callable[[bytes], bytes]:
        """See Channel.line."""
        fading, noise = rng.spawn(2)  # else the order of the draws would depend on how the stream is cut
        fades, start = np.empty(0), 0  # the current gain, if any, and how many of its symbols have passed

        def feed(piece: bytes) -> bytes:
            nonlocal fades, start
            symbols = 8 * len(piece) // self.bits_per_symbol
            gains = np.ones(1)
            if self.coherence_symbols:
                end = start + symbols
                more = -(-end // self.coherence_symbols) - len(fades)
                fades = np.concatenate([fades, _rayleigh((more,), fading)])
                gains = fades[np.arange(start, end) // self.coherence_symbols]
                over, start = divmod(end, self.coherence_symbols)
                fades = fades[over:]
            mask = self._decide(gains[None], (1, symbols), noise)
            return (np.frombuffer(piece, np.uint8) ^ np.packbits(mask[0])).tobytes()

        return feed

    def _decide(self, gains: np.ndarray, shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
        """Return the bit errors of n x S symbols, bool (n, S * bits_per_symbol); gains (n, S) or (n, 1).

        Each bit has its own axis (QPSK: I and Q) and is decided by the sign of the received value: amplitude
        sqrt(2 Eb/N0) in noise of variance 1. By symmetry it is enough to send zeros.
        """
        amplitude = np.sqrt(2 * 10 ** (np.broadcast_to(self.ebn0_db, shape[:1]) / 10))
        noise = rng.standard_normal((*shape, self.bits_per_symbol))
        return ((gains * amplitude[:, None])[..., None] + noise < 0).reshape(shape[0], -1)


def _rayleigh(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Draw amplitudes whose power is exponential with mean 1."""
    return np.sqrt(rng.standard_exponential(shape))
