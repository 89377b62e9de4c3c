"""Run one script against the host: two receivers with differently divided streams, a radio, and classifiers."""

import tempfile
from functools import cache
from pathlib import Path

import numpy as np

from host.classify.classifier import Classifier
from host.classify.decoder import Decoder
from host.receive.events import AnswerFrame, Event, FeatureFrame
from host.receive.frames import FrameParser
from host.receive.radio import PacketReceiver
from host.receive.stream import StreamReceiver
from tests.fuzz.checks import check_event, check_reading, is_found, outline
from tests.fuzz.key_oracle import KeyOracle
from tests.fuzz.script import Bytes, Expect, Intact, IntactSealed, Packet, Quiet, Script, Sent, Wait
from tests.fuzz.sealed import POLICIES, Sealed
from tests.host.secured import Clock
from tests.support.host import make_bundle
from wire.bundle import Bundle
from wire.frame import SYNC, Header

MAX_WAITING = 300
PIECES = (7, 1, 2, 16, 40, 300)  # bytes at once


@cache
def bundles() -> list[Bundle]:
    """Return three small bundles. The first and the third have equal model bits: only the CRC-16 distinguishes them.

    The second one has an answer head.
    """
    return list(_load())


@cache
def decoders() -> dict[str, Decoder]:
    """Return the decoders of the bundles by model_id; they are stateless, so all inputs share them."""
    return {bundle.model_id: decoder for bundle, decoder in _load().items()}


@cache
def _load() -> dict[Bundle, Decoder]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        written = [
            make_bundle(folder / "threes", seed=0, n_symbols=96, bits=3, classes=4),
            make_bundle(folder / "fives", seed=1, n_symbols=11, bits=5, classes=3, answer=True),
            make_bundle(folder / "twin", seed=50, n_symbols=80, bits=3, classes=4),
        ]
        loaded = {bundle: Decoder(bundle) for bundle in written}
    assert written[0].model_bits == written[2].model_bits != written[1].model_bits
    return loaded


def run(data: bytes) -> None:
    """Run an input. Raises AssertionError, or the host's exception, if a check fails."""
    script = Script(data, bundles())
    with np.errstate(divide="raise", over="raise", invalid="raise"):
        line = Line(script)
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
                case Wait(seconds):
                    line.wait(seconds)
                case IntactSealed(sealed):
                    line.intact_sealed(sealed)
        line.quiet()


class Line:
    """A serial line with its sender and its receivers, and a radio. Time passes for all of them when the line waits."""

    def __init__(self, script: Script) -> None:
        self._cut, self._sent, self._total, self._clock = script.cut, b"", 0, Clock()
        policies = POLICIES if script.has_keys else {}
        whole, pieces, packets = (FrameParser(bundles(), self._clock, policies) for _ in range(3))
        self._whole, self._pieces = StreamReceiver(bundles(), whole), StreamReceiver(bundles(), pieces)
        self._radio, self._packets = PacketReceiver(bundles(), packets), 0
        self._classifiers = {"line": Classifier(decoders()), "radio": Classifier(decoders())}
        self._oracles = {
            name: KeyOracle(script.made, parser.gate, self._clock)
            for name, parser in (("line", whole), ("radio", packets))
        }

    def send(self, data: bytes) -> None:
        self._sent += data

    def quiet(self) -> list[Event]:
        """Finish what has been sent and return all events since the last call."""
        events = self._deliver() + self._agree(self._whole.flush(), self._pieces.flush())
        assert self._whole.waiting_bytes == self._pieces.waiting_bytes == 0, "bytes are kept after a flush"
        return events

    def expect(self, headers: list[Header]) -> None:
        self._deliver()
        for receiver in (self._whole, self._pieces):
            receiver.expect(headers)

    def intact(self, sent: Sent) -> None:
        self.quiet()
        self.send(sent.frame)
        on_the_line = self.quiet()
        by_radio = self.packet(sent.frame[len(SYNC) :])
        if sent.bundle is bundles()[1]:  # one frame in 65536 of the first is taken for the third's, or vice versa
            assert is_found(on_the_line, sent) and is_found(by_radio, sent), "an intact frame was missed"

    def wait(self, seconds: int) -> None:
        self._deliver()
        self._clock.now += seconds

    def intact_sealed(self, sealed: Sealed) -> None:
        self.quiet()
        awaited = {name: oracle.is_awaited(sealed) for name, oracle in self._oracles.items()}
        self.send(sealed.frame)
        found = {"line": self.quiet(), "radio": self.packet(sealed.frame[len(SYNC) :])}
        for name, events in found.items():
            assert not awaited[name] or self._oracles[name].is_found(events, sealed), (
                "an intact secured frame was missed"
            )

    def packet(self, packet: bytes) -> list[Event]:
        event = self._radio.take(packet, snr_db=-3.5, rssi_dbm=-120.0)
        self._packets += 1
        assert 0 <= self._radio.foreign <= self._packets
        events = [] if event is None else [event]
        self._read(events, "radio")
        return events

    def _deliver(self) -> list[Event]:
        """Give one receiver all bytes at once and the other one pieces."""
        sent, self._sent = self._sent, b""
        self._total += len(sent)
        size = PIECES[self._cut % len(PIECES)]
        pieces = [e for at in range(0, len(sent), size) for e in self._feed(self._pieces, sent[at : at + size])]
        return self._agree(self._feed(self._whole, sent), pieces)

    def _feed(self, receiver: StreamReceiver, data: bytes) -> list[Event]:
        events = receiver.feed(data)
        assert receiver.waiting_bytes <= MAX_WAITING, receiver.waiting_bytes
        return events

    def _agree(self, whole: list[Event], pieces: list[Event]) -> list[Event]:
        assert [outline(event) for event in whole] == [outline(event) for event in pieces], (
            "events depend on how the stream is divided"
        )
        assert 0 <= self._whole.garbage_bytes == self._pieces.garbage_bytes <= self._total
        self._read(whole, "line")
        return whole

    def _read(self, events: list[Event], where: str) -> None:
        for event in events:
            check_event(event)
            self._oracles[where].check_event(event)
            if isinstance(event, FeatureFrame | AnswerFrame):
                reading = self._classifiers[where].read(event)
                check_reading(reading)
                self._oracles[where].check_reading(reading)
        self._oracles[where].check_counters()
