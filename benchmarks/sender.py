"""A simulated board: the frames that it sends for images, each as an answer or as the features of one chunk."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from benchmarks.encoding import ANSWER, Encoded
from host.keys.policy import DevicePolicy
from host.receive.events import AnswerFrame, Event, FeatureFrame, ImageFrame
from wire.frame import HEADER_BYTES, SEQUENCES, SYNC
from wire.model import Model
from wire.secure.frames import SecuredDevice
from wire.secure.keys import Keys

DEVICE = 1
WARM_UP = 20  # clean frames, not counted, that make the device known to the receiver
ANSWER_FRAME_BYTES = len(SYNC) + HEADER_BYTES  # on a serial line


@dataclass(frozen=True, eq=False)
class Sender:
    """A board that sends images in the order of their numbers, which begin with `first`.

    chunks (n,): what it sends of each image, a chunk's number or ANSWER. Numbers below `first` are the warm-up, which
    repeats the first image. With `keys`, its frames are secured.
    """

    model: Model
    encoded: Encoded
    chunks: np.ndarray
    first: int = 0
    keys: Keys | None = None
    _frames: dict[tuple[int, bool], bytes] = field(default_factory=dict, init=False)  # by number and sync

    @property
    def policies(self) -> dict[int, DevicePolicy]:
        """What a receiver demands of the board: secured frames, if it has keys."""
        return {DEVICE: DevicePolicy(self.keys)} if self.keys else {}

    def frame(self, number: int, sync: bool) -> bytes:
        """Return the frame of an image, in the serial form with sync or in the radio's form.

        It is encoded once, as a board is often simulated over many links.
        """
        key = number, sync
        if key not in self._frames:
            self._frames[key] = self._encode(number, sync)
        return self._frames[key]

    def _encode(self, number: int, sync: bool) -> bytes:
        i = self._index(number)
        chunk, answer, sequence = int(self.chunks[i]), self.encoded.answer(i), self._counter(number) % SEQUENCES
        if self.keys:
            return self._encode_secured(self.keys, number, sync)
        if chunk == ANSWER:
            assert answer is not None
            return self.model.answer_frame(answer, DEVICE, sequence, sync=sync)
        symbols = self.encoded.symbols[i, self.model.chunk_slice(chunk)]
        return self.model.frame(symbols, DEVICE, sequence, chunk, answer=answer, sync=sync)

    def _encode_secured(self, keys: Keys, number: int, sync: bool) -> bytes:
        model, counter, i = self.model, self._counter(number), self._index(number)
        secured = SecuredDevice(keys, DEVICE, model.number, model.class_count)
        chunk, answer = int(self.chunks[i]), self.encoded.answer(i)
        if chunk == ANSWER:
            assert answer is not None
            return secured.answer_frame(counter, answer, sync)
        payload = model.payload(self.encoded.symbols[i, model.chunk_slice(chunk)], answer)
        return secured.feature_frame(counter, chunk, payload, model.chunk_bits(chunk), sync)

    def own(self, events: Sequence[Event | None], number: int) -> tuple[FeatureFrame | AnswerFrame | None, int]:
        """Return the image's frame among received events, None if it is not there, and the number of other frames."""
        expected = (DEVICE, self._counter(number) % SEQUENCES, int(self.chunks[self._index(number)]))
        frames = [event for event in events if isinstance(event, ImageFrame)]
        matching = [frame for frame in frames if (frame.device, frame.sequence, _chunk(frame)) == expected]
        return (matching[0] if matching else None), len(frames) - len(matching)

    def _counter(self, number: int) -> int:
        """Return an image's counter. Those of secured frames are never negative."""
        return number - self.first + WARM_UP if self.keys else number

    def _index(self, number: int) -> int:
        return max(number - self.first, 0)


def mean_frame_bytes(model: Model, answered: float) -> float:
    """Return the mean bytes of a frame on a serial line, given the share of images that the board answers itself."""
    return answered * ANSWER_FRAME_BYTES + (1 - answered) * model.chunk_layout(0).serial_size


def _chunk(frame: FeatureFrame | AnswerFrame) -> int:
    return frame.chunk if isinstance(frame, FeatureFrame) else ANSWER
