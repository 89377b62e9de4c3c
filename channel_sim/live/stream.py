"""A channel over an endless byte stream. The same seed gives the same damage however the stream is cut."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from channel_sim.channels.channel import Channel, ChannelError
from channel_sim.live.framing import Framer, Piece
from wire.bundle import Bundle
from wire.frame import SYNC


@dataclass
class Statistics:
    """Counts of bytes, bits and frames through a stream.

    A bit that two stages flip counts twice in `bits_flipped`. Frames are those of images, features or answers; they are
    counted only if a bundle of their model is given.
    """

    bytes_in: int = 0
    bytes_out: int = 0
    bytes_lost: int = 0  # in the channel
    bytes_dropped: int = 0  # after the channel: no peer was connected, or it read too slowly
    bits_flipped: int = 0
    frames: int = 0
    frames_lost: int = 0
    frames_damaged: int = 0
    frames_cut: int = 0  # truncated by the board itself; not counted in `frames`
    frames_unknown: int = 0  # of a model without a bundle; not counted in `frames`
    resets: int = 0  # endpoints that disappeared and were waited for
    seconds: float = 0.0  # from the first bytes to the last

    @property
    def ber(self) -> float:
        """Flipped bits per input bit; 0 before the first."""
        return self.bits_flipped / (8 * self.bytes_in) if self.bytes_in else 0.0

    @property
    def rate(self) -> float:
        """Input bytes per second; 0 before the second piece."""
        return self.bytes_in / self.seconds if self.seconds else 0.0


class Stream:
    """Corrupts a byte stream piece by piece.

    Every stage of the channel has its own generator, spawned from the seed: with a shared one, the order of the draws
    would depend on how the stream is cut. A stage that works by the byte gets all bytes. A stage that needs whole
    frames gets those of images, one by one, and everything else passes; a radio (`own_sync`) gets them without their
    sync word. Frames are found by the bundles; with bundles, a frame is held until it is complete.

    Raises ChannelError for a channel that needs whole frames if there is no bundle.
    """

    def __init__(self, channel: Channel, seed: int | Sequence[int], bundles: Sequence[Bundle] = ()) -> None:
        self.statistics = Statistics()
        self._framer = Framer(bundles) if bundles else None
        stages = channel.stages()
        generators = np.random.default_rng(seed).spawn(len(stages))
        self._stages: list[tuple[bool, Callable[[bytes], bytes]]] = []  # (frames only?, function)
        for stage, rng in zip(stages, generators, strict=True):
            if not (stage.by_byte or bundles):
                raise ChannelError(f"{type(stage).__name__} needs whole frames: give the bundle of the board's model")
            self._stages.append((not stage.by_byte, stage.line(rng) if stage.by_byte else _packets(stage, rng)))

    @property
    def held_bytes(self) -> int:
        """Number of bytes held until their frame is complete."""
        return self._framer.held_bytes if self._framer else 0

    def feed(self, data: bytes) -> bytes:
        """Corrupt the next piece of the stream."""
        self.statistics.bytes_in += len(data)
        return self._send(self._framer.feed(data) if self._framer else [Piece(data, False)])

    def flush(self) -> bytes:
        """Return held bytes, which stages for frames leave unchanged. No more of an incomplete frame will come."""
        return self._send(self._framer.flush() if self._framer else [])

    def _send(self, pieces: list[Piece]) -> bytes:
        sent = b"".join([self._through(piece) for piece in pieces])
        self.statistics.bytes_out += len(sent)
        if self._framer:
            self.statistics.frames_cut, self.statistics.frames_unknown = self._framer.cut, self._framer.unknown
        return sent

    def _through(self, piece: Piece) -> bytes:
        data = piece.data
        for for_frames, send in self._stages:
            if data and (piece.is_frame or not for_frames):
                before, data = data, send(data)
                self._count_bytes(before, data)
        if piece.is_frame:
            self.statistics.frames += 1
            self.statistics.frames_lost += not data
            copies = len(data) // len(piece.data)  # 2 for a duplicated frame
            self.statistics.frames_damaged += bool(data) and data != piece.data * copies
        return data

    def _count_bytes(self, before: bytes, after: bytes) -> None:
        if after == before:
            return
        self.statistics.bytes_lost += max(0, len(before) - len(after))
        if len(after) == len(before):
            changed = int.from_bytes(before, "big") ^ int.from_bytes(after, "big")
            self.statistics.bits_flipped += changed.bit_count()


def _packets(stage: Channel, rng: np.random.Generator) -> Callable[[bytes], bytes]:
    """Return a stage that needs whole frames as a function of a frame."""

    def over_air(frame: bytes) -> bytes:
        packet = frame[len(SYNC) :]
        arrived = stage.corrupt(packet, rng) if packet else None
        return SYNC + arrived if arrived else b""

    return over_air if stage.own_sync else lambda frame: stage.corrupt(frame, rng) or b""
