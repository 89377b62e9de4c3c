"""Receiver of packets of which there are several copies: from groups of alike packets to frames."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from host.receive.copies.identity import Identity
from host.receive.copies.parse import parse_answers, parse_copies
from host.receive.copies.plain import PlainSearch
from host.receive.copies.secured import SecuredCopiesSearch
from host.receive.copies.soft import SoftBlock, copy_bers
from host.receive.events import AnswerFrame, Event, FeatureFrame, Refused, UnknownModel
from host.receive.frames import FrameParser
from host.receive.radio import PacketReceiver
from wire.frame import HEADER_BYTES, FrameType
from wire.replies.status import parse_status_packet
from wire.secure.frames import TAGGED_HEADER_BYTES


class Copy(NamedTuple):
    """A packet as one gateway received it."""

    packet: bytes
    snr_db: float | None = None
    rssi_dbm: float | None = None
    crc_ok: bool | None = None  # by the radio's own CRC; None if it is not known


@dataclass(frozen=True)
class Outcome:
    """What some of the copies are: no event for a foreign packet, and for an image a frame for each copy.

    combined: the undamaged frame that the copies together make, if each of them is damaged.
    """

    copies: tuple[int, ...]  # their positions
    event: Event | None
    frames: tuple[FeatureFrame | AnswerFrame, ...] = ()
    combined: FeatureFrame | None = None


class CopiesReceiver:
    """Receiver of groups of alike packets: their bits are combined, the header is identified, the payloads follow.

    A packet that may be another image's after all is taken out of the group. If the combined bits are no frame, each
    packet is received alone. The packets of one group have equal lengths.
    """

    def __init__(self, parser: FrameParser) -> None:
        self._parser = parser
        self._alone = PacketReceiver([], parser)
        self._plain = PlainSearch(parser.headers)
        self._secured = SecuredCopiesSearch(parser.gate.search) if parser.gate.search else None

    @property
    def foreign(self) -> int:
        """Packets that are not a frame of a known model."""
        return self._alone.foreign

    @property
    def damaged_statuses(self) -> int:
        """Packets with the header of a status frame, whose CRC-32 is wrong."""
        return self._alone.damaged_statuses

    def take(self, copies: Sequence[Copy]) -> list[Outcome]:
        """Return what a group of packets is."""
        return self._take(copies, range(len(copies)))

    def identify(self, copies: Sequence[Copy]) -> tuple[Identity | None, list[int], list[float]]:
        """Return the frame that packets of one length are of, which of them are, and their bit error rates.

        The frame is None if their combined bits are none, or an uncertain one.
        """
        packets = [one.packet for one in copies]
        bers = copy_bers(packets, [one.snr_db for one in copies])
        identity = self._clean(copies) or self._combined(packets, bers)
        if identity is None:
            return None, [], bers
        return identity, [k for k, packet in enumerate(packets) if identity.is_copy(packet, bers[k])], bers

    def _take(self, copies: Sequence[Copy], group: Sequence[int]) -> list[Outcome]:
        if len(group) < 2 or len(copies[group[0]].packet) < HEADER_BYTES:
            return [self._take_alone(copies, i) for i in group]
        identity, agreeing, bers = self.identify([copies[i] for i in group])
        if identity is None or not agreeing:
            order = sorted(group, key=lambda i: (copies[i].crc_ok is not True, -(copies[i].snr_db or 0.0)))
            return [self._take_alone(copies, i) for i in order]
        # The combined bits have named the frame. Even a single copy that is certainly of it is received by that.
        outcome = self._frames(copies, [group[k] for k in agreeing], [bers[k] for k in agreeing], identity)
        others = [i for k, i in enumerate(group) if k not in agreeing]
        return [outcome, *(self._take(copies, others) if others else [])]

    def _take_alone(self, copies: Sequence[Copy], i: int) -> Outcome:
        event = self._alone.take(copies[i].packet, copies[i].snr_db, copies[i].rssi_dbm)
        return Outcome((i,), event, (event,) if isinstance(event, FeatureFrame | AnswerFrame) else ())

    def _clean(self, copies: Sequence[Copy]) -> Identity | None:
        """Return the identity of a copy that is a plain feature frame without any damage, if there is one."""
        for packet, _, _, crc_ok in copies:
            if crc_ok is not False and (match := self._parser.headers.exact(packet)):
                model, clean = self._parser.find_model(packet, match, len(packet))
                if model and clean and self._parser.gate.device(match.header.device) is None:
                    block = int.from_bytes(packet[:HEADER_BYTES], "big")
                    return self._plain.identity(match.header, block, len(packet))
        return None

    def _combined(self, packets: Sequence[bytes], bers: Sequence[float]) -> Identity | None:
        """Return the identity that the combined bits of header, and tag, have."""
        header, size = SoftBlock([packet[:HEADER_BYTES] for packet in packets], bers), len(packets[0])
        if self._secured and size >= TAGGED_HEADER_BYTES:
            tag = SoftBlock([packet[HEADER_BYTES:TAGGED_HEADER_BYTES] for packet in packets], bers)
            if found := self._secured.find(header, tag, size):
                return found
        return self._plain.find(header, size)

    def _frames(
        self, copies: Sequence[Copy], group: Sequence[int], bers: Sequence[float], identity: Identity
    ) -> Outcome:
        """Return the outcome of copies of one frame."""
        members, match, parser = [copies[i] for i in group], identity.match, self._parser
        if match.header.type == FrameType.REPLY:
            return self._status(members, group, bers, identity)
        if parser.headers.has_unknown_model(match.header):
            return Outcome(tuple(group), UnknownModel(match.header))
        if refusal := parser.gate.refusal(match):
            return Outcome(tuple(group), Refused(match.header.device, refusal))
        matches = [identity.match_of(one.packet) for one in members]
        heard = [(one.packet, own, one.snr_db, one.rssi_dbm) for one, own in zip(members, matches, strict=True)]
        if match.header.type == FrameType.ANSWER:
            costs = np.array([np.log((1 - ber) / ber) for ber in bers])
            found = parse_answers(parser, heard, costs)
        else:
            found = parse_copies(parser, heard, match, _combined(members, bers))
        if found is None or isinstance(found, Refused):
            return Outcome(tuple(group), found)
        frames, combined = found
        return Outcome(tuple(group), combined or frames[0], tuple(frames), combined)

    def _status(
        self, members: Sequence[Copy], group: Sequence[int], bers: Sequence[float], identity: Identity
    ) -> Outcome:
        """Return the outcome of copies of a status frame: it counts once."""
        best = max(members, key=lambda one: -999.0 if one.snr_db is None else one.snr_db)
        for packet in (*(one.packet for one in members), _combined(members, bers)):
            if control := parse_status_packet(identity.match.header.encode() + packet[HEADER_BYTES:]):
                return Outcome(tuple(group), self._parser.control_event(control, best.snr_db, best.rssi_dbm))
        self._alone.damaged_statuses += 1
        return Outcome(tuple(group), None)


def _combined(members: Sequence[Copy], bers: Sequence[float]) -> bytes:
    """Return the likelier bits of all copies of a packet."""
    rows = np.unpackbits(np.array([np.frombuffer(one.packet, np.uint8) for one in members]), axis=1)
    weights = np.array([np.log((1 - ber) / ber) for ber in bers])
    return np.packbits(weights @ (1.0 - 2.0 * rows) < 0).tobytes()
