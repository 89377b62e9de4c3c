"""A site without keys, for the attacks: the frames of its devices, and those that a rogue station makes of them."""

from typing import NamedTuple

import numpy as np

from host.keys.policy import DevicePolicy
from wire.answer import Answer
from wire.bundle import Bundle
from wire.frame import SEQUENCES, FrameType, Header, feature_frame

DEVICES = (1, 2, 3)
COPY_SHARE = 0.15  # of the bits that a copy may change: honest copies differ in 18 % at a bit error rate of 0.1


class Sent(NamedTuple):
    """An honest image: its device, number and golden image."""

    device: int
    number: int
    image: int


class Site:
    """The frames of honest devices, with golden images of the bundle, and those that a rogue station makes of them."""

    def __init__(self, bundle: Bundle, seed: int) -> None:
        golden = np.load(bundle.path / "golden.npz")
        self.bundle, self.rng = bundle, np.random.default_rng(seed)
        self.symbols = golden["symbols"]
        self._answers = [Answer(*map(int, answer)) for answer in golden["answers"]] if bundle.answer else None
        self.classes = golden["logits"].argmax(axis=1)
        self.history: list[bytes] = []

    @property
    def policies(self) -> dict[int, DevicePolicy]:
        """What the host demands of the devices: nothing."""
        return {}

    def frame(self, device: int, number: int, image: int) -> bytes:
        """Return the frame of a golden image, with the whole payload."""
        return self._plain(device, number, self.packed(image))

    def forge(self, device: int, number: int, image: int) -> bytes:
        """Return the rogue station's frame of a golden image."""
        return self._plain(device, number, self.packed(image))

    def copy(self, sent: Sent, payload: bytes) -> bytes:
        """Return the rogue station's copy of the frame just sent, with another payload."""
        return self._plain(sent.device, sent.number, payload)

    def packed(self, image: int) -> bytes:
        """Return a golden image's payload."""
        return self.bundle.payload(self.symbols[image], self._answers[image] if self._answers else None)

    def payload(self, image: int) -> np.ndarray:
        """Return the bits (n,) of a golden image's payload."""
        return np.unpackbits(np.frombuffer(self.packed(image), np.uint8))[: self.bundle.chunk_bits(0)]

    def other(self, image: int) -> int:
        """Return a golden image of another class."""
        return int(self.rng.choice(np.flatnonzero(self.classes != self.classes[image])))

    def changed(self, image: int) -> bytes:
        """Return the payload of a golden image with some symbols replaced by those of an image of another class."""
        symbols, other = self.symbols[image].copy(), self.symbols[self.other(image)]
        chosen = self.rng.permutation(len(symbols))[: int(2 * COPY_SHARE * len(symbols))]
        symbols[chosen] = other[chosen]
        return self.bundle.payload(symbols, self._answers[image] if self._answers else None)

    def _plain(self, device: int, number: int, payload: bytes) -> bytes:
        header = Header(FrameType.FEATURE, device, number % SEQUENCES, self.bundle.model_bits, 0)
        return feature_frame(header, payload, self.bundle.chunk_bits(0), self.bundle.number)
