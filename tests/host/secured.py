"""Frames of boards that hold a key, and hosts that hold it, too."""

from collections.abc import Iterable

from host.keys.policy import Auth, DevicePolicy
from host.receive.events import Event, Refused
from host.receive.frames import FrameParser
from host.receive.radio import PacketReceiver
from host.receive.secured.devices import Refusal
from host.receive.stream import StreamReceiver
from tests.support.host import answer_of, symbols_of
from wire.answer import Answer
from wire.model import Model
from wire.replies.status import NOT_LIMITED, ResetCause, Status
from wire.secure.frames import SecuredDevice
from wire.secure.keys import Keys
from wire.secure.status import secured_status_frame

KEYS, OTHER_KEYS = Keys.derive(bytes(range(16))), Keys.derive(bytes(16))
DEVICE = 7


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class SecuredBoard:
    """A board that sends secured frames, with symbols and answers as `make_frame` and `make_answer` have them."""

    def __init__(self, model: Model, device: int = DEVICE, keys: Keys = KEYS) -> None:
        self.model, self.device, self.keys = model, device, keys
        self.sender = SecuredDevice(keys, device, model.number, model.class_count)

    def frame(self, counter: int, chunk: int = 0, sync: bool = True, image: int | None = None) -> bytes:
        """Return a feature frame. image: the counter whose symbols it has, by default its own."""
        number = counter if image is None else image
        answer = answer_of(self.model, number, self.device) if self.model.answer else None
        payload = self.model.payload(symbols_of(self.model, number, self.device, chunk), answer)
        return self.sender.feature_frame(counter, chunk, payload, self.model.chunk_bits(chunk), sync)

    def answer(self, counter: int, answer: Answer | None = None, sync: bool = True) -> bytes:
        """Return an answer frame."""
        return self.sender.answer_frame(counter, answer or answer_of(self.model, counter, self.device), sync)

    def status(self, counter: int, uptime_s: int = 60, boots: int = 1, sync: bool = True) -> bytes:
        """Return a status frame."""
        return secured_status_frame(
            self.keys, make_status(counter, uptime_s, boots), self.device, self.model.number, sync
        )


def make_status(counter: int, uptime_s: int = 60, boots: int = 1) -> Status:
    """Return the status of a node on a line."""
    return Status(counter, uptime_s, boots, ResetCause.POWER_ON, 0, 0, NOT_LIMITED, 60)


class Host:
    """A host with the key of device 7, by default, on a line and by radio, and a clock that a test sets."""

    def __init__(
        self, model: Model, policies: dict[int, DevicePolicy] | None = None, require: Auth = Auth.NONE
    ) -> None:
        self.clock = Clock()
        self.policies = {DEVICE: DevicePolicy(KEYS)} if policies is None else policies
        self.parser = FrameParser([model], self.clock, self.policies, require)
        self.line, self.radio = StreamReceiver([model], self.parser), PacketReceiver([model], self.parser)

    def receive(self, data: bytes) -> list[Event]:
        """Return the events in bytes of the line, after which it is silent."""
        return self.line.feed(data) + self.line.flush()


def refusals(events: Iterable[Event | None]) -> list[Refusal]:
    """Return the reasons for which frames among events are refused."""
    return [event.reason for event in events if isinstance(event, Refused)]
