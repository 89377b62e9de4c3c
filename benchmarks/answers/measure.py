"""Answer frames through random bit flips and the real receiver: lost, wrong and unsure answers, and false ones."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass

import numpy as np

from benchmarks.sender import WARM_UP
from channel_sim.channels.bsc import BitFlips
from host.receive.events import AnswerFrame, Event, FeatureFrame
from host.receive.radio import PacketReceiver
from host.receive.stream import StreamReceiver
from wire.answer import CONFIDENCES, FULL_WEIGHT, Answer, AnswerHead
from wire.frame import ANY_DEVICE, HEADER_BYTES, SEQUENCES
from wire.model import Model

BERS = (1e-3, 3e-3, 1e-2, 3e-2, 5e-2, 1e-1, 1.5e-1)
CLASS_COUNTS = (10, 100, 1000)
KNOWN_DEVICES = (0, 1, 50)  # of the receiver that is given noise

OnProgress = Callable[[int], None]  # called with the number of frames sent since the last call


@dataclass(frozen=True)
class Shares:
    """Outcomes of answers sent, as shares of all.

    `right` and `wrong` are by class, `unsure` the part of both that the receiver marks as such. `lost` was not found,
    and `false` are frames that were found but not sent.
    """

    right: float
    wrong: float
    lost: float
    unsure: float
    wrong_but_sure: float
    false: float


def model_of(n_classes: int) -> Model:
    """Return a model with an answer head of so many classes, and features of two chunks as in the default bundle."""
    head = AnswerHead(np.full(256, FULL_WEIGHT, np.uint16), np.linspace(0, 1, CONFIDENCES))
    return Model(
        name=f"{n_classes} classes",
        model_id="0000002a",
        input_shape=(32, 32, 3),
        heads=((4, 4, 8),),
        bits_per_symbol=3,
        symbol_table=np.zeros(256, np.uint8),
        symbol_order=np.arange(128, dtype=np.uint16),
        chunks=[(0, 128), (0, 64)],
        answer=head,
        class_count=n_classes,
        threshold=0,
    )


class Line:
    """A receiver of a serial line: the frame follows its sync word, which flips too."""

    sync = True

    def __init__(self, model: Model) -> None:
        self._receiver = StreamReceiver([model])

    def receive(self, frame: bytes) -> list[Event]:
        """Return the events in a frame."""
        return [*self._receiver.feed(frame), *self._receiver.flush()]


class Radio:
    """A receiver of radio packets, whose beginning and length are known."""

    sync = False

    def __init__(self, model: Model) -> None:
        self._receiver = PacketReceiver([model])

    def receive(self, frame: bytes) -> list[Event]:
        """Return the event in a packet."""
        event = self._receiver.take(frame)
        return [event] if event else []


LINKS: dict[str, type[Line] | type[Radio]] = {"line": Line, "radio": Radio}


def outcomes(
    link: type[Line] | type[Radio], n_classes: int, ber: float, known: bool, frames: int, seed: int, done: OnProgress
) -> Shares:
    """Send random answers. A known device has sent clean frames before; each new one meets an empty receiver."""
    model, rng, channel = model_of(n_classes), np.random.default_rng([seed, n_classes, known]), BitFlips(ber)
    right = wrong = unsure = wrong_but_sure = false = 0
    receiver = link(model)
    for number in range(-WARM_UP if known else 0, frames):
        device, sequence = (1 if known else number % ANY_DEVICE), number % SEQUENCES
        answer = Answer(int(rng.integers(n_classes)), int(rng.integers(CONFIDENCES)))
        sent = model.answer_frame(answer, device, sequence, sync=link.sync)
        if number < 0:
            receiver.receive(sent)
            continue
        if not known:
            receiver = link(model)
        frames_found = _frames(receiver.receive(channel.corrupt(sent, rng) or b""))
        own = [f for f in frames_found if isinstance(f, AnswerFrame) and (f.device, f.sequence) == (device, sequence)]
        false += len(frames_found) - len(own[:1])
        for event in own[:1]:
            is_right = event.answer.index == answer.index
            right, wrong = right + is_right, wrong + (not is_right)
            unsure += event.unsure
            wrong_but_sure += not is_right and not event.unsure
        done(1)
    lost = frames - right - wrong
    return Shares(*(count / frames for count in (right, wrong, lost, unsure, wrong_but_sure, false)))


def false_answers(n_classes: int, devices: int, packets: int, seed: int, done: OnProgress) -> float:
    """Return the share of random packets of 8 bytes that a receiver that knows some devices takes for answers."""
    model, rng = model_of(n_classes), np.random.default_rng([seed, devices, n_classes, 2])
    receiver = Radio(model)
    for device in range(devices):
        for sequence in range(2):
            receiver.receive(model.answer_frame(Answer(0, 0), device, sequence, sync=False))
    found = 0
    for _ in range(packets):
        found += len(_frames(receiver.receive(rng.bytes(HEADER_BYTES))))
        done(1)
    return found / packets


def measure(frames: int, noise: int, seed: int, task: Callable[[str, int], OnProgress]) -> dict:
    """Return all figures of this module. `task` announces a part of so many frames and returns its progress."""
    received: dict[str, dict] = {}
    for name, known, link, n_classes in _experiments():
        label = f"{n_classes} classes, {name}"
        received[label] = {
            f"{ber:g}": asdict(
                outcomes(LINKS[link], n_classes, ber, known, frames, seed, task(f"{label}, BER {ber:g}", frames))
            )
            for ber in BERS
        }
    false = {
        f"{n_classes} classes, {devices} known devices": false_answers(
            n_classes, devices, noise, seed, task(f"noise, {n_classes} classes, {devices} known", noise)
        )
        for n_classes in CLASS_COUNTS
        for devices in KNOWN_DEVICES
    }
    return {"received": received, "false_per_packet": false}


def _experiments() -> Iterator[tuple[str, bool, str, int]]:
    """Yield name, known device, link and number of classes of each experiment."""
    for n_classes in CLASS_COUNTS:
        for link in LINKS:
            yield f"known device, {link}", True, link, n_classes
            yield f"new device, {link}", False, link, n_classes


def _frames(events: list[Event]) -> list[AnswerFrame | FeatureFrame]:
    """Return the events that a host shows as images, without those of unknown models."""
    return [event for event in events if isinstance(event, AnswerFrame | FeatureFrame)]
