"""Invariants of a host that holds keys: it takes for authentic only what the holders of the keys made, each once."""

import numpy as np

from host.classify.classifier import Reading
from host.keys.policy import Auth
from host.receive.events import AnswerFrame, ControlFrame, Event, FeatureFrame
from host.receive.matching import BEHIND
from host.receive.secured.devices import COPIES_S, NO_COUNTER, WINDOW
from host.receive.secured.gate import Gate
from tests.fuzz.sealed import POLICIES, Made, Sealed, answer_sent, symbols_sent
from tests.host.secured import Clock
from wire.bundle import Bundle
from wire.frame import SEQUENCES


class KeyOracle:
    """What one receiver may accept, by its own account of what it has accepted so far."""

    def __init__(self, made: Made, gate: Gate, clock: Clock) -> None:
        self._made, self._gate, self._clock = made, gate, clock
        self._newest = dict.fromkeys(POLICIES, NO_COUNTER)
        self._status = dict.fromkeys(POLICIES, (0, -1))
        self._first: dict[tuple[int, int], float] = {}  # device and counter -> time of the image's first frame

    def is_awaited(self, sealed: Sealed) -> bool:
        """Return True if an intact frame must be found: of one of the next 65,536 images, or a copy that is awaited."""
        ahead = sealed.counter - self._newest[sealed.device]
        copy = ahead >= -BEHIND and self._is_copy((sealed.device, sealed.counter))
        return sealed.authentic and (0 < ahead <= WINDOW or copy)

    def is_found(self, events: list[Event], sealed: Sealed) -> bool:
        """Return True if one of the events is this frame, and authentic to the last bit."""
        kind = AnswerFrame if sealed.is_answer else FeatureFrame
        images = [event for event in events if isinstance(event, kind) and event.auth == Auth.FULL]
        return any(_image(event) == sealed.image and event.header.chunk in (sealed.chunk, 0) for event in images)

    def check_event(self, event: Event) -> None:
        """Check an event of any device against what the holders of the keys made, and take it into account."""
        if isinstance(event, ControlFrame):
            self._check_status(event)
        elif isinstance(event, FeatureFrame | AnswerFrame):
            if event.device in POLICIES:
                self._check_frame(event)
            else:
                assert event.auth == Auth.NONE, "a device without a key is authentic"

    def check_counters(self) -> None:
        """Check the counters that the host would remember, after all events so far."""
        for device, accepted in self._gate.accepted.items():
            assert accepted.counter == self._newest[device], "the counter is not that of the newest image"
            assert (accepted.boots, accepted.uptime_s) == self._status[device]

    def check_reading(self, reading: Reading) -> None:
        """Check that what is shown as authentic to the last bit is what was sent."""
        frame = reading.frame
        assert reading.auth <= frame.auth or frame.device in POLICIES
        if reading.auth == Auth.FULL:
            assert isinstance(frame.model, Bundle)
            sent = symbols_sent(frame.model, frame.device, frame.image_number)
            received = reading.symbols >= 0
            assert np.array_equal(reading.symbols[received], sent[received]), "a forged image is authentic"

    def _check_frame(self, event: FeatureFrame | AnswerFrame) -> None:
        proof, policy = event.match.proof, POLICIES[event.device]
        assert proof and policy.keys, "a frame without a proof was accepted"
        assert policy.require <= event.auth
        assert event.image_number == proof.counter and event.sequence == proof.counter % SEQUENCES
        chunks, bundle = self._made.frames.get(_image(event), set()), event.model
        assert isinstance(bundle, Bundle)
        assert (len(bundle.chunks) if isinstance(event, AnswerFrame) else event.chunk) in chunks, "a forged image"
        if isinstance(event, AnswerFrame):
            assert event.answer == answer_sent(bundle, event.device, proof.counter), "a forged answer"
        elif event.auth == Auth.FULL:
            symbols = symbols_sent(bundle, event.device, proof.counter)[bundle.chunk_slice(event.chunk)]
            answer = answer_sent(bundle, event.device, proof.counter) if bundle.answer else None
            assert event.whole and event.payload == bundle.payload(symbols, answer), "a forged payload is authentic"
        self._accept(event.device, proof.counter)

    def _accept(self, device: int, counter: int) -> None:
        image = device, counter
        if counter <= self._newest[device]:
            assert self._is_copy(image), "a replay was accepted"
            assert self._newest[device] - counter <= BEHIND, "more images are kept than copies are awaited of"
        self._first.setdefault(image, self._clock())
        self._newest[device] = max(self._newest[device], counter)

    def _is_copy(self, image: tuple[int, int]) -> bool:
        """Return True if a further frame of an image may be accepted."""
        return self._clock() - self._first.get(image, -np.inf) <= COPIES_S

    def _check_status(self, event: ControlFrame) -> None:
        device, status = event.control.header.device, event.status
        if device not in POLICIES or status is None or status.is_gateway:
            return
        assert (device, status) in self._made.statuses, "a forged status"
        newer = status.boots, status.uptime_s
        assert newer > self._status[device], "an old status was accepted"
        self._status[device] = newer
        self._newest[device] = max(self._newest[device], status.counter - 1)


def _image(event: FeatureFrame | AnswerFrame) -> tuple[int, str, int]:
    """Return device, model_id and counter of a frame of a device with a key."""
    return event.device, event.model.model_id, event.image_number
