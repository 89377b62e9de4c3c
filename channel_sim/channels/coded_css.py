"""LoRa's chirps without LoRa's coding chain: what a radio with the same modulation, power and band could do.

LoRa chips decode their weak Hamming codes on hard decisions. Here, every symbol carries bits of equal protection, and
the receiver gets a log-likelihood ratio per bit: for `Css` raw bits, for `CodedCss` the convolutional code of
`convolutional.py`, spread over the packet by an interleaver. No chip offers this. It is for comparisons, with
perfect detection, timing and SNR knowledge, and no header, so that both ends know the length. The code's tail bits are
sent: a tail-biting code would save them.
"""

from functools import cached_property

import numpy as np

from channel_sim.channels import convolutional
from channel_sim.channels.lora import demodulate
from channel_sim.channels.lora_theory import scaled_bessel
from wire.lora import needs_low_data_rate, symbol_s
from wire.payload import interleaver

_BINS_AT_ONCE = 1 << 18  # arrays of 1 MB, which are reused; with larger ones, paging can take most of the time
_STEP = 0.01  # of the argument in the table of the Bessel function; an error below 1 % hardly changes a ratio
_PREAMBLE_EXTRA_SYMBOLS = 4.25  # sync word and start of frame
_MOST_NOISE = 12  # standard amplitudes that noise adds to a bin: less than once in 10^60
_TINY = 1e-30


class Css:
    """Packets of chirps in white noise, received by a non-coherent receiver. Parameters as those of `LoRa`."""

    def __init__(self, snr_db: float, sf: int, bandwidth_hz: float = 125e3, preamble_symbols: int = 8) -> None:
        self.snr_db, self.sf = snr_db, sf
        self.symbol_s, self.preamble_symbols = symbol_s(sf, bandwidth_hz), preamble_symbols
        # With low data rate optimisation, only every fourth bin is used, and only those compete.
        self.bits_per_symbol = sf - 2 * needs_low_data_rate(sf, bandwidth_hz)

    def n_symbols(self, bits: int) -> int:
        """Return the number of symbols that carry so many bits."""
        return -(-bits // self.bits_per_symbol)

    def air_time_s(self, bits: int) -> float:
        """Return the air time in seconds of a packet of so many bits."""
        return (self.preamble_symbols + _PREAMBLE_EXTRA_SYMBOLS + self.n_symbols(bits)) * self.symbol_s

    def transmit(self, bits: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Send packets of bits (n, L). Return log P(0) / P(1) of each (n, L), and +1 or -1 by the strongest bin.

        Both come from the same received symbols. A last symbol that is not filled carries random bits.
        """
        n, length = bits.shape
        soft, hard = self.receive(self._labels(bits, rng), rng)
        return soft.reshape(n, -1)[:, :length], hard.reshape(n, -1)[:, :length]

    def transmit_hard(self, bits: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Send packets of bits (n, L). Return bool (n, L) by the strongest bins, for fewer random numbers."""
        n, length = bits.shape
        unused_db = 10 * np.log10(2) * (self.sf - self.bits_per_symbol)  # `demodulate` spreads over the bins in use
        snr_db = np.full(n, self.snr_db + unused_db)
        strongest = demodulate(self._labels(bits, rng), snr_db, self.bits_per_symbol, rng)
        return self._bits(strongest).reshape(n, -1)[:, :length]

    def receive(self, labels: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Send symbols with Gray labels (n, S); return soft and hard log-likelihood ratios (n, S, bits_per_symbol)."""
        soft = np.empty((labels.size, self.bits_per_symbol), np.float32)
        hard = np.empty(soft.shape, np.int16)
        at_once = max(1, _BINS_AT_ONCE >> self.bits_per_symbol)
        for first in range(0, labels.size, at_once):
            part = slice(first, first + at_once)
            soft[part], hard[part] = self._decide(labels.ravel()[part], rng)
        shape = (*labels.shape, self.bits_per_symbol)
        return soft.reshape(shape), hard.reshape(shape)

    def _labels(self, bits: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return the Gray labels (n, S) of the symbols that carry bits (n, L)."""
        n, length = bits.shape
        sent = rng.integers(0, 2, (n, self.n_symbols(length) * self.bits_per_symbol), np.uint8)
        sent[:, :length] = bits
        return sent.reshape(n, -1, self.bits_per_symbol) @ (1 << np.arange(self.bits_per_symbol)[::-1])

    def _bits(self, labels: np.ndarray) -> np.ndarray:
        """Return the bits (..., bits_per_symbol) bool of labels."""
        return (labels[..., None] >> np.arange(self.bits_per_symbol)[::-1] & 1).astype(bool)

    @property
    def _amplitude(self) -> float:
        """The amplitude of the bin that is sent; that of the noise is 1."""
        return float(np.sqrt(10 ** (self.snr_db / 10) * (1 << self.sf)))

    @cached_property
    def _bessel(self) -> np.ndarray:
        """Table of exp(-x) I0(x) in steps of x, for all arguments that occur."""
        largest = 2 * self._amplitude * (self._amplitude + _MOST_NOISE)
        return scaled_bessel(np.arange(0, largest, _STEP)).astype(np.float32)

    def _decide(self, labels: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Receive symbols (m,): log-likelihood ratios (m, bits), soft, and +-1 by the strongest bin.

        The bins of orthogonal chirps have independent noise of power 1. A bin of amplitude r is the one sent, of
        amplitude A, with a likelihood proportional to I0(2 A r); a bit's ratio adds those of all bins (Proakis,
        Digital Communications, sections 4.5 and 5.4).
        """
        bins, m = 1 << self.bits_per_symbol, len(labels)
        signal = self._amplitude
        power = rng.standard_exponential((m, bins), np.float32)  # by Gray label
        noise = rng.standard_normal((m, 2)) * np.sqrt(0.5)
        power[np.arange(m), labels] = (signal + noise[:, 0]) ** 2 + noise[:, 1] ** 2
        argument = 2 * signal * np.sqrt(power)
        strongest = argument.argmax(1)
        weight = np.exp(argument - argument[np.arange(m), strongest, None])
        weight *= self._bessel[(argument / _STEP).astype(np.int32)]
        ones = self._bits(np.arange(bins)).astype(np.float32)
        at_one, at_zero = weight @ ones, weight @ (1 - ones)
        soft = np.log(np.maximum(at_zero, _TINY)) - np.log(np.maximum(at_one, _TINY))
        return soft, 1 - 2 * self._bits(strongest).astype(np.int16)


class CodedCss:
    """Packets of data bits behind the convolutional code, on `Css`."""

    def __init__(self, snr_db: float, sf: int, bandwidth_hz: float = 125e3, preamble_symbols: int = 8) -> None:
        self._css = Css(snr_db, sf, bandwidth_hz, preamble_symbols)

    def air_time_s(self, data_bits: int) -> float:
        """Return the air time in seconds of a packet of so many data bits."""
        return self._css.air_time_s(convolutional.coded_bits(data_bits))

    def transmit(self, data: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Send packets of bits (n, k). Return the bits uint8 (n, k) decoded from soft and from hard decisions."""
        order = interleaver(convolutional.coded_bits(data.shape[1]))
        coded, decoded = convolutional.encode(data), []
        for ratios in self._css.transmit(coded[:, order], rng):
            restored = np.empty_like(ratios)
            restored[:, order] = ratios
            # Where all signs are those sent, no other codeword is as likely: the decoder would find this one.
            damaged = ((restored < 0) != coded).any(axis=1)
            received = data.copy()
            received[damaged] = convolutional.decode(restored[damaged])
            decoded.append(received)
        return decoded[0], decoded[1]
