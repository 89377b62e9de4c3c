"""LoRa as a channel: from packets sent to packets as the radio hands them over, through the real coding chain."""

from dataclasses import dataclass

import numpy as np

from channel_sim.channels.channel import Channel, ChannelError
from channel_sim.channels.lora_coding import (
    DECODE,
    ENCODE,
    WHITENING,
    deinterleave,
    gray,
    header,
    interleave,
    payload_crc,
    to_bytes,
    to_nibbles,
    ungray,
)
from wire.lora import MAX_PACKET_BYTES, air_time_s, needs_low_data_rate, symbol_s

NOISE_FIGURE_DB = 6.0  # a typical SX1276 front end
SNR_READING_ERROR_DB = 1.0


@dataclass(frozen=True)
class Reception:
    """A packet as a radio hands it to its driver: payload, CRC check and readings."""

    payload: bytes
    crc_ok: bool
    snr_db: float
    rssi_dbm: float


class LoRa(Channel):
    """A LoRa packet in white noise, as an SX127x or SX126x receives it.

    snr_db: signal-to-noise ratio in the bandwidth of the channel, a number or an array (n,) with one value per frame of
    a batch. coding_rate: 5 to 8, for 4/5 to 4/8. low_data_rate: two bits fewer per symbol; None: on if a symbol takes
    16 ms or more, as the chips require.

    Assumed: the receiver has detected the packet, with perfect timing and frequency (a real one needs its preamble
    for that and misses some packets at low SNR); constant SNR within a packet; no interference. Everything after that
    is modelled. A damaged header loses the packet; a damaged payload is handed over with `crc_ok` False.
    Raises ChannelError for settings that no radio has.
    """

    own_sync = True

    def __init__(
        self,
        snr_db: float | np.ndarray,
        sf: int = 7,
        coding_rate: int = 5,
        bandwidth_hz: float = 125e3,
        explicit_header: bool = True,
        low_data_rate: bool | None = None,
        crc: bool = True,
        preamble_symbols: int = 8,
    ) -> None:
        self.snr_db = np.asarray(snr_db, np.float64)
        if self.snr_db.ndim > 1 or np.isnan(self.snr_db).any():
            raise ChannelError("an SNR is in dB: one number, or one per frame")
        if sf not in range(7, 13):
            raise ChannelError(f"a spreading factor is 7 to 12, not {sf}")
        if coding_rate not in ENCODE:
            raise ChannelError(f"a coding rate is 5 to 8, for 4/5 to 4/8, not {coding_rate}")
        if not 7.8e3 <= bandwidth_hz <= 500e3:
            raise ChannelError(f"a bandwidth is 7.8 to 500 kHz, not {bandwidth_hz:g} Hz")
        if preamble_symbols < 6:
            raise ChannelError(f"a preamble has 6 symbols or more, not {preamble_symbols}")
        self.sf, self.coding_rate, self.bandwidth_hz = sf, coding_rate, bandwidth_hz
        self.explicit_header, self.crc, self.preamble_symbols = explicit_header, crc, preamble_symbols
        self.symbol_s = symbol_s(sf, bandwidth_hz)
        self.low_data_rate = needs_low_data_rate(sf, bandwidth_hz) if low_data_rate is None else low_data_rate

    def transmit(self, frames: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Send frames uint8 (n, B). Return received uint8 (n, B), crc_ok bool (n,), lost bool (n,).

        Of a lost frame, `received` is the discarded payload. Without a CRC every frame is `crc_ok`. With one, a
        damaged frame passes more often than once in 2**16: the CRC is xored with the last two bytes, and where one
        symbol carries bits of both, its errors may cancel out.
        """
        n, size = frames.shape
        if not 1 <= size <= MAX_PACKET_BYTES:
            raise ChannelError(f"a LoRa payload has 1 to {MAX_PACKET_BYTES} bytes, not {size}")
        parts = [to_nibbles(frames ^ WHITENING[:size])]
        if self.explicit_header:
            parts.insert(0, np.tile(header(size, self.coding_rate, self.crc), (n, 1)))
        if self.crc:
            parts.append(to_nibbles(payload_crc(frames)))
        sent = np.concatenate(parts, 1)
        decoded = self._through_the_air(sent, rng)
        lost, start = np.zeros(n, bool), 0
        if self.explicit_header:
            start = 5
            # The upper three bits of the fourth nibble are unused. Any other error makes the header invalid.
            lost = ((decoded ^ sent)[:, :5] & np.array([15, 15, 15, 1, 15], np.uint8)).any(1)
        received = to_bytes(decoded[:, start : start + 2 * size]) ^ WHITENING[:size]
        crc_ok = np.ones(n, bool)
        if self.crc:
            crc_ok = (payload_crc(received) == to_bytes(decoded[:, start + 2 * size :])).all(1)
        return received, crc_ok, lost

    def _through_the_air(self, nibbles: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Send nibbles (n, T): encode, modulate, add noise, demodulate, decode.

        Frames that are all alike, as in simulations of packet loss, are encoded once. Only damaged blocks are decoded.
        """
        n, count = nibbles.shape
        first, rows, length = self.sf - 2, self.sf - 2 * self.low_data_rate, self.coding_rate
        blocks = max(0, -(-(count - first) // rows))
        nibbles = np.pad(nibbles, ((0, 0), (0, first + blocks * rows - count)))
        distinct = nibbles[:1] if (nibbles == nibbles[:1]).all() else nibbles
        m = len(distinct)
        # The first 8 symbols carry the header: reduced rate, SF - 2 bits each, and 4/8.
        head = _to_symbols(ENCODE[8][distinct[:, :first]], 8, reduced=True)  # (m, 8)
        body = _to_symbols(
            ENCODE[length][distinct[:, first:].reshape(m, blocks, rows)], length, reduced=self.low_data_rate
        )  # (m, blocks, length)
        sent = np.concatenate([head, body.reshape(m, blocks * length)], 1)
        sent = np.broadcast_to(sent, (n, sent.shape[1]))
        symbols = demodulate(sent, np.broadcast_to(self.snr_db, (n,)), self.sf, rng)
        first_nibbles, other_nibbles = nibbles[:, :first].copy(), nibbles[:, first:].reshape(n, blocks, rows)
        damaged = (symbols[:, :8] != head).any(axis=1)
        first_nibbles[damaged] = DECODE[8][_to_codewords(symbols[damaged, :8], first, reduced=True)]
        others = symbols[:, 8:].reshape(n, blocks, length)
        damaged = (others != body).any(axis=2)
        other_nibbles[damaged] = DECODE[length][_to_codewords(others[damaged], rows, reduced=self.low_data_rate)]
        return np.concatenate([first_nibbles, other_nibbles.reshape(n, blocks * rows)], 1)[:, :count]

    def flips(self, n: int, bits: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """See Channel.flips; `bits` is a multiple of 8. Zeros are sent: codes and symbols are linear."""
        if bits % 8:
            raise ChannelError(f"LoRa carries whole bytes, not {bits} bits")
        received, _, lost = self.transmit(np.zeros((n, bits // 8), np.uint8), rng)
        return np.unpackbits(received, axis=1).astype(bool), lost

    def corrupt(self, frame: bytes, rng: np.random.Generator) -> bytes | None:
        """See Channel.corrupt: return the payload, damaged or not, or None if the header was damaged."""
        received, _, lost = self.transmit(np.frombuffer(frame, np.uint8)[None], rng)
        return None if lost[0] else received.tobytes()

    def receive(self, frame: bytes, rng: np.random.Generator) -> Reception | None:
        """Send one frame and return it with the readings of the radio; see `receive_all`."""
        return self.receive_all(np.frombuffer(frame, np.uint8)[None], rng)[0]

    def receive_all(self, frames: np.ndarray, rng: np.random.Generator) -> list[Reception | None]:
        """Send frames uint8 (n, B) and return them with the readings of an SX1276 (data sheet, section 5.5.5).

        SNR: quarters of a dB in a signed byte (RegPktSnrValue), here with a normal error of 1 dB. RSSI: whole dBm of
        the total power in the channel, signal and noise; below the noise floor the SNR reading is added.
        """
        received, crc_ok, lost = self.transmit(frames, rng)
        snr = np.broadcast_to(self.snr_db, lost.shape)
        readings = np.clip(np.round(4 * (snr + rng.normal(0.0, SNR_READING_ERROR_DB, lost.shape))), -128, 127) / 4
        noise_dbm = -174 + 10 * np.log10(self.bandwidth_hz) + NOISE_FIGURE_DB
        rssi = np.round(noise_dbm + 10 * np.log10(1 + 10 ** (snr / 10))) + np.minimum(readings, 0.0)
        return [
            None if gone else Reception(row.tobytes(), bool(ok), float(reading), float(dbm))
            for row, ok, gone, reading, dbm in zip(received, crc_ok, lost, readings, rssi, strict=True)
        ]

    def air_time_s(self, payload_bytes: int) -> float:
        """Return the air time in seconds; see wire.lora."""
        return air_time_s(
            payload_bytes,
            self.sf,
            self.coding_rate,
            self.bandwidth_hz,
            self.explicit_header,
            self.low_data_rate,
            self.crc,
            self.preamble_symbols,
        )


def _to_symbols(codewords: np.ndarray, length: int, reduced: bool) -> np.ndarray:
    """Map blocks of codewords (..., k) to symbols (..., length). At reduced rate only every fourth bin is used."""
    return ungray(interleave(codewords, length)).astype(np.int64) << 2 * reduced


def _to_codewords(symbols: np.ndarray, rows: int, reduced: bool) -> np.ndarray:
    """Map received symbols (..., length) to codewords (..., rows). At reduced rate the nearest used bin counts."""
    if reduced:
        symbols = (symbols + 2 >> 2) & (1 << rows) - 1
    return deinterleave(gray(symbols).astype(np.uint16), rows)


def demodulate(sent: np.ndarray, snr_db: np.ndarray, sf: int, rng: np.random.Generator) -> np.ndarray:
    """Send symbols (n, S) of 0 .. 2**sf - 1 through white noise and return the decisions (n, S); snr_db is (n,).

    The non-coherent receiver chooses the strongest of 2**sf bins. The chirps are orthogonal, so the noise of the bins
    is independent, and a symbol takes five random numbers instead of 2**sf. The power of the correct bin is noncentral
    chi-square with Es/N0 = 2**sf * SNR (SNR in the bandwidth of the channel). The strongest other bin follows from its
    inverse distribution; its position is uniform. This is exact for an ideally synchronised receiver. The number of
    draws does not depend on the SNR.
    """
    others = (1 << sf) - 1
    amplitude = np.sqrt(10 ** (snr_db / 10) * (1 << sf))[:, None]  # of the correct bin, noise power 1
    noise = rng.standard_normal((*sent.shape, 2)) * np.sqrt(0.5)
    correct = (amplitude + noise[..., 0]) ** 2 + noise[..., 1] ** 2
    # P(all others < y) = (1 - exp(-y))**others; for a uniform number in logs, which stays accurate near 1.
    strongest = -np.log(-np.expm1(-rng.standard_exponential(sent.shape) / others))
    wrong = (sent + rng.integers(1, others + 1, sent.shape)) & others
    return np.where(strongest > correct, wrong, sent)
