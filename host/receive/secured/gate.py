"""Gate of a receiver: which frames are authentic enough to be accepted."""

from collections.abc import Callable, Mapping, Sequence

from host.keys.policy import Auth, DevicePolicy
from host.keys.taken import TakenImages
from host.receive.matching import Match, Proof
from host.receive.secured.devices import Accepted, KeyedDevice, Refusal
from host.receive.secured.search import SecuredSearch
from wire.control import REPLY_BIT, Control, Opcode
from wire.frame import HEADER_BYTES
from wire.model import Model
from wire.replies.status import Status, parse_status
from wire.secure.frames import TAGGED_HEADER_BYTES
from wire.secure.status import SECURED_STATUS

_STATUSES = (Opcode.STATUS | REPLY_BIT, SECURED_STATUS)


class Gate:
    """Gate for the frames of all devices: of those with a policy, only secured ones pass.

    `require` is the least that the frames of all devices must be, also of those without a policy. `clock` gives the
    time in seconds and never goes back.
    """

    def __init__(
        self,
        models: Sequence[Model],
        policies: Mapping[int, DevicePolicy],
        require: Auth,
        clock: Callable[[], float],
    ) -> None:
        self.search = SecuredSearch(models, policies, clock) if policies else None
        self._require, self._clock = require, clock
        self._taken: TakenImages | None = None

    @property
    def header_bytes(self) -> int:
        """The number of bytes after a sync word that are needed to find every frame."""
        return TAGGED_HEADER_BYTES if self.search else HEADER_BYTES

    @property
    def accepted(self) -> dict[int, Accepted]:
        """What has to be remembered of the devices with a key, by device: see `restore`."""
        devices = self.search.devices if self.search else {}
        return {number: accepted for number, device in devices.items() if (accepted := device.accepted)}

    def restore(self, accepted: Mapping[int, Accepted]) -> None:
        """Go on with the counters of an earlier run, except of devices that have another key now."""
        for number, one in accepted.items():
            if self.search and (device := self.device(number)):
                device.restore(one)
                self.search.changed(number)

    def expect_counter(self, number: int, counter: int) -> None:
        """Also expect the images of a device with a key from this counter on, which a board reported without proof.

        The frames still have to be authentic, and newer than those that were accepted.
        """
        if self.search and (device := self.device(number)):
            device.reported = counter
            self.search.changed(number)

    def use_taken(self, taken: TakenImages) -> None:
        """Take no frame of an image that another command received, and expect those after the newest one."""
        self._taken = taken
        for number, device in self.search.devices.items() if self.search else ():
            newest = taken.newest(number, device.mark) if device.mark else None
            self.expect_counter(number, max(device.reported, -1 if newest is None else newest + 1))

    def taken(self, number: int, first: int, last: int) -> int:
        """Return how many of these counters of a device with a key other commands used up."""
        device = self.device(number)
        if self._taken is None or device is None or not device.mark or first > last:
            return 0
        return self._taken.count(number, device.mark, first, last)

    def device(self, number: int) -> KeyedDevice | None:
        """Return a device with a policy; None for any other."""
        return self.search.devices.get(number) if self.search else None

    def decode(self, block: bytes, sync_flips: int | None = None, size: int | None = None) -> Match | None:
        """Decode the first bytes of a frame of a device with a policy, as `SecuredSearch.decode` does."""
        return self.search.decode(block, sync_flips, size) if self.search else None

    def refusal(self, match: Match) -> Refusal | None:
        """Return the reason for which a feature or answer frame without a proof is refused; None if it passes."""
        if match.proof:
            return None
        if device := self.device(match.header.device):
            return Refusal.NOT_AUTHENTIC if device.policy.keys else Refusal.REVOKED
        return Refusal.NO_KEY if self._require > Auth.NONE else None

    def refusal_with(self, proof: Proof, auth: Auth) -> Refusal | None:
        """Return the reason for which a frame with an authentic header is refused; None if it passes."""
        number = proof.board.device
        device = self.device(number)
        if device is None or auth < max(self._require, device.policy.require):
            return Refusal.DAMAGED
        taken = self._taken and self._taken.was_received(number, device.mark, proof.counter)
        return Refusal.REPLAY if taken or device.is_replay(proof.counter, self._clock()) else None

    def accept(self, proof: Proof, now: float) -> int | None:
        """Accept a frame, and return the largest counter of its device before; None if it was unknown."""
        assert self.search
        device = self.search.devices[proof.board.device]
        before = device.known_counter
        device.accept(proof.counter, now)
        if device.counter != before:
            self.search.changed(proof.board.device)
        return before

    def open_status(self, control: Control) -> Status | Refusal | None:
        """Return the status in a status frame of a device, or why it is refused; None for other control frames.

        Gateways have no keys.
        """
        status, device = parse_status(control), self.device(control.header.device)
        if status and status.is_gateway:
            return status
        if device is None:
            return Refusal.NO_KEY if status and self._require > Auth.NONE else status
        if control.opcode not in _STATUSES:
            return None
        opened = device.open_status(control)
        if self.search and isinstance(opened, Status):
            self.search.changed(control.header.device)
        return opened
