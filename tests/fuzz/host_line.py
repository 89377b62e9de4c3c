"""One script against the host: two receivers, whose streams are cut differently, a radio, and what reads them."""

import tempfile
from functools import cache
from pathlib import Path

import numpy as np

from host.classify import classifier as reader
from host.classify.classifier import Classifier
from host.receive.events import Event, FeatureFrame
from host.receive.radio import PacketReceiver
from host.receive.stream import StreamReceiver
from tests.fuzz.checks import check_event, check_reading, is_found, outline
from tests.fuzz.script import Bytes, Expect, Intact, Packet, Quiet, Script, Sent
from tests.support.host import make_bundle
from wire import bch
from wire.bundle import Bundle
from wire.frame import SYNC

MOST_WAITING = 300
PIECES = (7, 1, 2, 16, 40, 300)  # bytes at once
# What has no memory and takes longest is done once, not for every input: a decoder is loaded, a header encoded.
reader.Decoder = cache(reader.Decoder)
bch.encode = cache(bch.encode)


@cache
def bundles() -> list[Bundle]:
    """Three small ones. The third has the first one's model bits, so that only the CRC-16 tells them apart."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made = [
            make_bundle(folder / "threes", seed=0, n_symbols=96, bits=3, classes=4),
            make_bundle(folder / "fives", seed=1, n_symbols=11, bits=5, classes=3),
            make_bundle(folder / "twin", seed=50, n_symbols=80, bits=3, classes=4),
        ]
        Classifier.of(made)  # loads the decoders while they are there
    assert made[0].model_bits == made[2].model_bits != made[1].model_bits
    return made


def run(data: bytes) -> None:
    """Runs an input; AssertionError, or whatever the host raises, when something is wrong."""
    script = Script(data, bundles())
    with np.errstate(divide="raise", over="raise", invalid="raise"):
        line = Line(script.cut)
        for operation in script.operations():
            match operation:
                case Bytes(sent):
                    line.send(sent)
                case Quiet():
                    line.quiet()
                case Expect(headers):
                    line.expect(headers)
                case Intact(sent):
                    line.intact(sent)
                case Packet(packet):
                    line.packet(packet)
        line.quiet()


class Line:
    """Both ends of a line and of a radio."""

    def __init__(self, cut: int) -> None:
        self._cut, self._sent, self._total = cut, b"", 0
        self._whole, self._pieces = StreamReceiver(bundles()), StreamReceiver(bundles())
        self._radio, self._packets = PacketReceiver(bundles()), 0
        self._readers = {"line": Classifier.of(bundles()), "radio": Classifier.of(bundles())}

    def send(self, data: bytes) -> None:
        self._sent += data

    def quiet(self) -> list[Event]:
        """Settles what has been sent; all events since the last time."""
        events = self._deliver() + self._agree(self._whole.flush(), self._pieces.flush())
        assert self._whole.waiting_bytes == self._pieces.waiting_bytes == 0, "something is kept"
        return events

    def expect(self, headers: list) -> None:
        self._deliver()
        for receiver in (self._whole, self._pieces):
            receiver.expect(headers)

    def intact(self, sent: Sent) -> None:
        self.quiet()
        self.send(sent.frame)
        on_the_line = self.quiet()
        by_radio = self.packet(sent.frame[len(SYNC) :])
        if sent.bundle is bundles()[1]:  # one in 65536 frames of a twin is taken for the other's
            assert is_found(on_the_line, sent) and is_found(by_radio, sent), "an intact frame was missed"

    def packet(self, packet: bytes) -> list[Event]:
        event = self._radio.take(packet, snr_db=-3.5, rssi_dbm=-120.0)
        self._packets += 1
        assert 0 <= self._radio.foreign <= self._packets
        events = [] if event is None else [event]
        self._read(events, "radio")
        return events

    def _deliver(self) -> list[Event]:
        """One receiver gets all at once, the other in pieces."""
        sent, self._sent = self._sent, b""
        self._total += len(sent)
        size = PIECES[self._cut % len(PIECES)]
        pieces = [e for at in range(0, len(sent), size) for e in self._feed(self._pieces, sent[at : at + size])]
        return self._agree(self._feed(self._whole, sent), pieces)

    def _feed(self, receiver: StreamReceiver, data: bytes) -> list[Event]:
        events = receiver.feed(data)
        assert receiver.waiting_bytes <= MOST_WAITING, receiver.waiting_bytes
        return events

    def _agree(self, whole: list[Event], pieces: list[Event]) -> list[Event]:
        assert [outline(event) for event in whole] == [outline(event) for event in pieces], "it matters how it is cut"
        assert 0 <= self._whole.garbage_bytes == self._pieces.garbage_bytes <= self._total
        self._read(whole, "line")
        return whole

    def _read(self, events: list[Event], where: str) -> None:
        for event in events:
            check_event(event)
            if isinstance(event, FeatureFrame):
                check_reading(self._readers[where].read(event))
