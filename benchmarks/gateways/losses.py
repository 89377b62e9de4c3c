"""Headers lost when several gateways receive copies of a frame, over independent random bit flips."""

from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

import numpy as np

from benchmarks.answers.measure import OnProgress, model_of
from channel_sim.channels.bsc import BitFlips
from host.keys.policy import DevicePolicy
from host.receive.copies.receiver import CopiesReceiver, Copy
from host.receive.events import ImageFrame
from host.receive.frames import FrameParser
from wire.answer import CONFIDENCES, Answer
from wire.frame import ANY_DEVICE, SEQUENCES
from wire.model import Model
from wire.secure.frames import SecuredDevice
from wire.secure.keys import Keys

BERS = (0.05, 0.1, 0.15, 0.2)
COPIES = (1, 2, 3, 4)
CLASSES = 10
MODEL = model_of(CLASSES)
KEYS = Keys.derive(bytes(range(16)))
WARM_UP, DEVICE = 5, 7


class Experiment(NamedTuple):
    """Frames of one kind, of a device that the receiver knows or not."""

    answers: bool
    secured: bool
    known: bool

    @property
    def title(self) -> str:
        """Name in tables."""
        kind = "answers" if self.answers else "features"
        return f"{kind}{', secured' if self.secured else ''}, {'known' if self.known else 'new'} device"

    def frame(self, device: int, number: int, rng: np.random.Generator) -> bytes:
        """Return a frame with random contents, as a radio sends it."""
        answer = Answer(int(rng.integers(CLASSES)), int(rng.integers(CONFIDENCES)))
        symbols = rng.integers(0, 1 << MODEL.bits_per_symbol, MODEL.n_symbols)
        if self.secured:
            sender = SecuredDevice(KEYS, device, MODEL.number, CLASSES)
            if self.answers:
                return sender.answer_frame(number, answer, sync=False)
            return sender.feature_frame(number, 0, MODEL.payload(symbols, answer), MODEL.chunk_bits(0), sync=False)
        if self.answers:
            return MODEL.answer_frame(answer, device, number % SEQUENCES, sync=False)
        return MODEL.frame(symbols, device, number % SEQUENCES, answer=answer, sync=False)


EXPERIMENTS = [Experiment(*flags) for flags in product((False, True), repeat=3)]


def receivers(experiment: Experiment, rng: np.random.Generator) -> Iterator[tuple[CopiesReceiver, int, int]]:
    """Yield a receiver for each frame, with the frame's device and number: the same one if it knows the device."""
    receiver, number = None, WARM_UP
    while True:
        device = DEVICE if experiment.known else number % ANY_DEVICE
        if receiver is None or not experiment.known:
            receiver = receiver_of([MODEL], {device: DevicePolicy(KEYS)} if experiment.secured else {})
            for earlier in range(WARM_UP if experiment.known else 0):
                receiver.take([Copy(experiment.frame(device, earlier, rng))])
        yield receiver, device, number
        number += 1


def receiver_of(models: list[Model], policies: dict[int, DevicePolicy]) -> CopiesReceiver:
    """Return a receiver to which a second passes with each look at the clock."""
    seconds = iter(range(1 << 62))
    return CopiesReceiver(FrameParser(models, lambda: float(next(seconds)), policies))


def loss(experiment: Experiment, ber: float, copies: int, frames: int, seed: int, done: OnProgress) -> dict[str, float]:
    """Return the share of frames that are lost, and of those that give a frame that was not sent.

    best: lost if each copy is received alone, as the best of them.
    """
    rng, channel = np.random.default_rng([seed, copies, round(1000 * ber), *experiment]), BitFlips(ber)
    lost = false = best = 0
    alone = receivers(experiment, rng)
    for (receiver, device, number), _ in zip(receivers(experiment, rng), range(frames), strict=False):
        sent = experiment.frame(device, number, rng)
        received = [Copy(channel.corrupt(sent, rng) or b"") for _ in range(copies)]
        found = _found(receiver, received)
        expected = device, number % SEQUENCES
        lost += expected not in found
        false += bool(found - {expected})
        single, _, _ = next(alone)
        best += not any(expected in _found(single, [one]) for one in received)
        done(1)
    return {"lost": lost / frames, "false": false / frames, "best_lost": best / frames}


def _found(receiver: CopiesReceiver, copies: list[Copy]) -> set[tuple[int, int]]:
    """Return devices and sequence numbers of the frames in a group of packets."""
    events = [outcome.event for outcome in receiver.take(copies)]
    return {(event.device, event.sequence) for event in events if isinstance(event, ImageFrame)}
