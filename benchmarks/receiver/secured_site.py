"""A site with keys, for the attacks: the frames of its devices, and what somebody without a key can make of them."""

import numpy as np

from benchmarks.receiver.measure import device_keys
from benchmarks.receiver.site import DEVICES, Sent, Site
from host.keys.policy import DevicePolicy
from wire.bundle import Bundle
from wire.payload import interleave
from wire.secure.frames import SecuredDevice, SecuredLayout
from wire.secure.keys import Keys

TAG = slice(12, 20)  # of a frame with sync


class SecuredSite(Site):
    """A site whose devices hold keys. The attacker knows the headers to come, and the payloads that were sent.

    He forges with a key of his own. A copy has header and header tag of an honest frame, and as he knows its payload,
    a payload of his choice.
    """

    def __init__(self, bundle: Bundle, seed: int) -> None:
        super().__init__(bundle, seed)
        self._keys = {device: device_keys(device) for device in DEVICES}
        self._own = Keys.derive(bytes(16))

    @property
    def policies(self) -> dict[int, DevicePolicy]:
        """What the host demands of the devices."""
        return {device: DevicePolicy(keys) for device, keys in self._keys.items()}

    def frame(self, device: int, number: int, image: int) -> bytes:
        """Return the frame of a golden image, with the whole payload."""
        return self._secured(self._keys[device], device, number, self.packed(image))

    def forge(self, device: int, number: int, image: int) -> bytes:
        """Return a forged frame with the header of a device's image, in which the attacker guesses the tag."""
        frame = self._secured(self._own, device, number, self.packed(image))
        return frame[: TAG.start] + self.rng.bytes(TAG.stop - TAG.start) + frame[TAG.stop :]

    def copy(self, sent: Sent, payload: bytes) -> bytes:
        """Return a copy of the frame that was just sent, with another payload."""
        known = self.packed(sent.image)
        changed = bytes(np.frombuffer(known, np.uint8) ^ np.frombuffer(payload, np.uint8))
        n_bits = self.bundle.chunk_bits(0)
        place, honest = SecuredLayout(n_bits).payload, self.frame(*sent)
        start, end = place.start + 4, place.stop + 4
        difference = np.frombuffer(interleave(changed, n_bits), np.uint8)
        forged = np.frombuffer(honest[start:end], np.uint8) ^ difference
        return honest[:start] + forged.tobytes() + honest[end:]

    def _secured(self, keys: Keys, device: int, number: int, payload: bytes) -> bytes:
        sender = SecuredDevice(keys, device, self.bundle.number, self.bundle.class_count)
        return sender.feature_frame(number, 0, payload, self.bundle.chunk_bits(0))
