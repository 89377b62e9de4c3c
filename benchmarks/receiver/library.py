"""The frames of the soak, plain and secured, and a plain search for their bytes in a stream."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Protocol

import numpy as np

from benchmarks.receiver.measure import DEVICES, device_keys
from host.keys.policy import DevicePolicy
from host.receive.events import FeatureFrame
from wire.answer import CONFIDENCES, Answer
from wire.bundle import Bundle
from wire.frame import HEADER_BYTES, SEQUENCES, SYNC
from wire.replies.status import NOT_LIMITED, ResetCause, Status
from wire.secure.frames import SecuredDevice, SecuredLayout
from wire.secure.status import secured_status_frame

KEPT_FRAMES = 4096  # secured ones, in case that they are sought soon
PAYLOADS = 256
TURNS = 3  # of the sequence number that a device may be ahead: a reset can lose more than 16 frames of one in a row

Key = tuple[int, int, int, bytes]  # device, sequence or counter, chunk, payload


class Library(Protocol):
    """All frames that the devices can send."""

    bundle: Bundle
    policies: dict[int, DevicePolicy]  # what the host demands of the devices

    @property
    def longest(self) -> int:
        """Bytes of the longest frame."""

    def first(self) -> bytes:
        """Return what the devices send before all else."""

    def frame(self, device: int, number: int, rng: np.random.Generator) -> bytes:
        """Return a frame of a device's image with this number, which increases by one."""

    def key_at(self, stream: bytes, position: int, newest: Mapping[int, int]) -> tuple[Key, int] | None:
        """Return the key and the bytes of the frame that starts here, if one is complete and undamaged, else None.

        newest: the largest sequence or counter found so far, by device.
        """

    def key_of(self, event: FeatureFrame) -> Key | None:
        """Return the key of a frame that the receiver reports as undamaged; None for any other."""


@dataclass
class PlainLibrary:
    """One frame per device, sequence number and chunk, with random symbols."""

    bundle: Bundle
    frames: dict[tuple[int, int], list[bytes]] = field(default_factory=dict)  # by device and sequence
    keys: dict[bytes, Key] = field(default_factory=dict)
    policies: dict[int, DevicePolicy] = field(default_factory=dict)

    def __post_init__(self) -> None:
        rng = np.random.default_rng(2511)
        for device in range(DEVICES):
            for sequence in range(SEQUENCES):
                self.frames[device, sequence] = [
                    self._make(device, sequence, chunk, rng) for chunk in range(len(self.bundle.chunks))
                ]
        self._sizes = sorted({len(frame) for frame in self.keys})

    @property
    def longest(self) -> int:
        """See Library.longest."""
        return self._sizes[-1]

    def first(self) -> bytes:
        """See Library.first: nothing."""
        return b""

    def frame(self, device: int, number: int, rng: np.random.Generator) -> bytes:
        """See Library.frame. The chunk is random."""
        frames = self.frames[device, number % SEQUENCES]
        return frames[int(rng.integers(len(frames)))]

    def key_at(self, stream: bytes, position: int, newest: Mapping[int, int]) -> tuple[Key, int] | None:
        """See Library.key_at."""
        for size in self._sizes:
            if key := self.keys.get(stream[position : position + size]):
                return key, size
        return None

    def key_of(self, event: FeatureFrame) -> Key | None:
        """See Library.key_of."""
        if not event.crc_ok or event.sync_flips or event.header_flips:
            return None
        return event.device, event.sequence, event.chunk, event.payload

    def _make(self, device: int, sequence: int, chunk: int, rng: np.random.Generator) -> bytes:
        symbols, answer = _contents(self.bundle, chunk, rng)
        frame = self.bundle.frame(symbols, device, sequence, chunk, answer=answer)
        self.keys[frame] = (device, sequence, chunk, self.bundle.payload(symbols, answer))
        return frame


class SecuredLibrary:
    """One frame per device and counter, whose chunk and payload follow from the two."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        keys = [device_keys(device) for device in range(DEVICES)]
        self.policies = {device: DevicePolicy(key) for device, key in enumerate(keys)}
        self._senders = [SecuredDevice(key, i, bundle.number, bundle.class_count) for i, key in enumerate(keys)]
        rng = np.random.default_rng(2512)
        self._payloads = [
            [bundle.payload(*_contents(bundle, chunk, rng)) for chunk in range(len(bundle.chunks))]
            for _ in range(PAYLOADS)
        ]
        self._headers = {
            sender.header(sequence, chunk).encode(): (device, sequence)
            for device, sender in enumerate(self._senders)
            for sequence in range(SEQUENCES)
            for chunk in range(len(bundle.chunks))
        }
        self._frame = lru_cache(KEPT_FRAMES)(self._make)

    @property
    def longest(self) -> int:
        """See Library.longest."""
        return max(SecuredLayout(self.bundle.chunk_bits(chunk)).serial_size for chunk in range(len(self.bundle.chunks)))

    def first(self) -> bytes:
        """See Library.first: status frames, by which the proxy knows that the frames to come are secured."""
        status = Status(1, 1, 1, ResetCause.POWER_ON, 0, 0, NOT_LIMITED, 60)
        boards = [(sender.keys, sender.device) for sender in self._senders]
        return b"".join(secured_status_frame(keys, status, device, self.bundle.number) for keys, device in boards)

    def frame(self, device: int, number: int, rng: np.random.Generator) -> bytes:
        """See Library.frame."""
        return self._frame(device, number)[0]

    def key_at(self, stream: bytes, position: int, newest: Mapping[int, int]) -> tuple[Key, int] | None:
        """See Library.key_at. The counters with the sequence number are tried from shortly before the newest found."""
        header = stream[position + len(SYNC) : position + len(SYNC) + HEADER_BYTES]
        if header not in self._headers:
            return None
        device, sequence = self._headers[header]
        oldest = newest.get(device, 0) - SEQUENCES // 2
        first = oldest + (sequence - oldest) % SEQUENCES
        for counter in range(first, first + TURNS * SEQUENCES, SEQUENCES):
            frame, key = self._frame(device, max(0, counter))
            if stream.startswith(frame, position):
                return key, len(frame)
        return None

    def key_of(self, event: FeatureFrame) -> Key | None:
        """See Library.key_of."""
        proof = event.match.proof
        if proof is None or not event.crc_ok or event.sync_flips or event.header_flips or proof.tag_flips:
            return None
        return event.device, proof.counter, event.chunk, event.payload

    def _make(self, device: int, counter: int) -> tuple[bytes, Key]:
        mixed = device * 101 + counter * 7919  # so that neighbours differ
        chunk = mixed % len(self.bundle.chunks)
        payload = self._payloads[mixed % PAYLOADS][chunk]
        frame = self._senders[device].feature_frame(counter, chunk, payload, self.bundle.chunk_bits(chunk))
        return frame, (device, counter, chunk, payload)


def library(bundle: Bundle, secured: bool) -> Library:
    """Return the frames of devices without keys, or of devices with keys."""
    return SecuredLibrary(bundle) if secured else PlainLibrary(bundle)


def _contents(bundle: Bundle, chunk: int, rng: np.random.Generator) -> tuple[np.ndarray, Answer | None]:
    """Return random symbols of a chunk and, if the model gives answers, a random answer."""
    symbols = rng.integers(0, 1 << bundle.bits_per_symbol, bundle.chunk_symbols(chunk)[1])
    if not bundle.answer:
        return symbols, None
    return symbols, Answer(int(rng.integers(bundle.class_count)), int(rng.integers(CONFIDENCES)))


class Finder:
    """A plain search for the bytes of a library's frames in a stream."""

    def __init__(self, frames: Library) -> None:
        self._library = frames
        self._rest = b""
        self._newest: dict[int, int] = {}  # by device

    def feed(self, data: bytes) -> list[Key]:
        """Return the keys of the frames that end in the next bytes of the stream."""
        return self._search(self._rest + data, final=False)

    def finish(self) -> list[Key]:
        """Return the keys of the frames in the bytes kept so far, and drop these bytes: nothing follows them."""
        found = self._search(self._rest, final=True)
        self._rest = b""
        return found

    def _search(self, stream: bytes, final: bool) -> list[Key]:
        found, position = list[Key](), 0
        while (position := stream.find(SYNC, position)) >= 0:
            if at := self._library.key_at(stream, position, self._newest):
                key, size = at
                found.append(key)
                self._newest[key[0]] = max(self._newest.get(key[0], 0), key[1])
                position += size
            elif not final and position + self._library.longest > len(stream):
                break
            else:
                position += 1
        keep = position if position >= 0 else max(0, len(stream) - len(SYNC) + 1)
        self._rest = stream[keep:]
        return found
