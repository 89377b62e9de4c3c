"""Pairs of packets of different images: how often they are taken for copies of one."""

from collections.abc import Callable

import numpy as np

from benchmarks.answers.measure import OnProgress
from benchmarks.gateways.losses import MODEL, receiver_of
from channel_sim.channels.bsc import BitFlips
from host.receive.copies.receiver import CopiesReceiver, Copy
from host.site.groups import Groups
from host.site.packets import GatewayPacket
from wire.answer import Answer
from wire.frame import SEQUENCES

BERS = (0.02, 0.05, 0.1, 0.15)
EASY = 20  # times as many pairs of an easy kind as of a hard one

Pair = tuple[bytes, bytes]


def _features(device: int, number: int, symbols: np.ndarray, answer: Answer) -> bytes:
    return MODEL.frame(symbols, device, number % SEQUENCES, answer=answer, sync=False)


def _static(rng: np.random.Generator, devices: tuple[int, int], ahead: int, features: bool) -> Pair:
    """Return frames of equal contents, of two devices or of one device, so many images apart."""
    symbols, answer = rng.integers(0, 8, MODEL.n_symbols), Answer(int(rng.integers(10)), int(rng.integers(16)))
    if features:
        return _features(devices[0], 5, symbols, answer), _features(devices[1], 5 + ahead, symbols, answer)
    sent = [(devices[0], 5), (devices[1], 5 + ahead)]
    first, second = (MODEL.answer_frame(answer, device, number, sync=False) for device, number in sent)
    return first, second


def _different(rng: np.random.Generator, features: bool) -> Pair:
    """Return frames of two images, of two devices."""
    pair = []
    for device in (1, 2):
        symbols, answer = rng.integers(0, 8, MODEL.n_symbols), Answer(int(rng.integers(10)), int(rng.integers(16)))
        number = int(rng.integers(SEQUENCES))
        pair.append(
            _features(device, number, symbols, answer)
            if features
            else MODEL.answer_frame(answer, device, number, sync=False)
        )
    return pair[0], pair[1]


# By name: if it is a hard kind, if the receiver knows the devices, and how a pair is made. Next images of one device
# have headers that differ in 16 bits, those two apart in 15, which is the least.
KINDS: dict[str, tuple[bool, bool, Callable[[np.random.Generator], Pair]]] = {
    "features of two devices": (False, True, lambda rng: _different(rng, True)),
    "answers of two devices": (False, True, lambda rng: _different(rng, False)),
    "equal features, next image": (True, True, lambda rng: _static(rng, (1, 1), 1, True)),
    "equal features, two images apart": (True, True, lambda rng: _static(rng, (1, 1), 2, True)),
    "equal features, new device": (True, False, lambda rng: _static(rng, (1, 1), 2, True)),
    "equal features, two devices": (True, True, lambda rng: _static(rng, (1, 2), 0, True)),
    "equal answers, next image": (True, True, lambda rng: _static(rng, (1, 1), 1, False)),
    "equal answers, two devices": (True, True, lambda rng: _static(rng, (1, 2), 0, False)),
}


def pairs_per_cell(pairs: int) -> tuple[int, int]:
    """Return the number of pairs of each hard and each easy kind, at each BER, of so many in all."""
    hard = sum(one for one, _, _ in KINDS.values())
    each = pairs / len(BERS) / (hard + EASY * (len(KINDS) - hard))
    return max(1, round(each)), max(1, round(EASY * each))


def false_pairs(kind: str, ber: float, pairs: int, seed: int, done: OnProgress) -> int:
    """Return how many of the pairs, each received by two gateways, are combined."""
    _, known, make = KINDS[kind]
    rng = np.random.default_rng([seed, [*KINDS].index(kind), round(1000 * ber)])
    receiver, channel, combined = _knowing(known), BitFlips(ber), 0
    for _ in range(pairs):
        first, second = (channel.corrupt(packet, rng) or b"" for packet in make(rng))
        combined += _grouped(first, second) and _combined(receiver, first, second)
        done(1)
    return combined


def _knowing(known: bool) -> CopiesReceiver:
    """Return a receiver that knows devices 1 and 2 up to image 4, or none."""
    receiver, rng = receiver_of([MODEL], {}), np.random.default_rng(0)
    for device in (1, 2) if known else ():
        for number in range(5):
            receiver.take([Copy(_features(device, number, rng.integers(0, 8, MODEL.n_symbols), Answer(0, 0)))])
    return receiver


def _grouped(first: bytes, second: bytes) -> bool:
    """Return True if a site takes two packets for possible copies."""
    groups = Groups(1.0)
    for gateway, payload in (("a", first), ("b", second)):
        groups.add(GatewayPacket("site", gateway, "", 0, 0.0, payload), 0.0)
    return len(groups) == 1


def _combined(receiver: CopiesReceiver, first: bytes, second: bytes) -> bool:
    """Return True if both packets are taken for copies of one frame."""
    _, agreeing, _ = receiver.identify([Copy(first), Copy(second)])
    return len(agreeing) == 2
