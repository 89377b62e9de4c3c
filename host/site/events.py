"""Log of a site: what is heard of devices, gateways and ports beside images, as records."""

import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from host.board.errors import describe
from host.receive.board_text import Cause
from host.receive.events import AnswerFrame, ControlFrame, FeatureFrame, UnknownModel
from host.receive.secured.devices import Refusal
from host.site.records import AnyRecord, EventRecord, StatusRecord
from host.site.watch import Back, Clash, DeviceWatch, Finding, Sender, StatusHeard
from wire.control import ErrorReply, Opcode
from wire.text import printable

# Frames before an event on an unknown model: on a noisy line, one header in 10,000 may seem to be of another model.
UNKNOWN_MODEL_FRAMES = 2
# The same text of a board is an event again after this time.
TEXT_S = 60.0
REFUSALS = {
    Refusal.NOT_AUTHENTIC: "frames as device {device} that are not authentic are refused: they are badly damaged, of a "
    "board without the key, or forged",
    Refusal.REPLAY: "old frames of device {device} are refused: they came late, or are replayed",
    Refusal.DAMAGED: "frames of device {device} with a damaged payload are refused, as it has to be authentic, too",
    Refusal.CONTRADICTION: "damaged frames of device {device} are refused that are unlike others of their image: some "
    "are forged",
    Refusal.REVOKED: "frames as device {device} are refused: its key is revoked",
    Refusal.NO_KEY: "frames of device {device} are refused by --require-auth: the key file has no key for it",
}


class EventLog:
    """Log of a site: `records` returns the records of statuses and events since its last call.

    models: names of the known models, for people.
    """

    def __init__(
        self,
        site: str,
        models: str,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._site, self._models, self._clock, self._wall_clock = site, models, clock, wall_clock
        self._watch = DeviceWatch(self._report, clock)
        self._records: list[AnyRecord] = []
        self._token, self._count = f"{time.time_ns() // 1_000_000:x}{secrets.token_hex(2)}", 0
        self._received_by = ""  # of the status that is reported
        self._refused: set[tuple[int, Refusal]] = set()
        self._unknown: Counter[tuple[int, int]] = Counter()  # by device and model bits
        self._errors: set[tuple[int, int]] = set()  # device and error code
        self._texts: dict[tuple[str, str], float] = {}  # line and meaning -> when it was reported

    def records(self) -> list[AnyRecord]:
        """Return the records since the last call."""
        records, self._records = self._records, []
        return records

    def check(self) -> None:
        """Report the devices that have been silent for too long."""
        self._watch.check()

    def hear_image(self, frame: FeatureFrame | AnswerFrame, line: str, gateway: int | None = None) -> None:
        """Record an image's frame, on a line or by a gateway on it."""
        sender = Sender(frame.device, False)
        self._watch.hear(sender, line, None if gateway is None else Sender(gateway, True, line))
        if frame.place.clash:
            self._watch.clash(sender, "so half of its frames are unexpected")

    def hear_control(self, received: ControlFrame, line: str, is_packet: bool, clashing: bool) -> None:
        """Record a control frame of a line. clashing: two gateways on it seem to have this number."""
        number, status = received.control.header.device, received.status
        self._board_error(received)
        if received.refusal:
            self.refused(number, received.refusal)
        is_gateway = is_packet or (status is not None and status.is_gateway)
        sender = Sender(number, is_gateway, line if is_gateway else "")
        if status:
            self._received_by = line
            self._watch.hear_status(sender, status, received, line)
        elif is_packet:
            self._watch.hear(sender, line)
        if is_packet and clashing:
            self._watch.clash(sender, "so packets seem lost between gateway and host")

    def hear_radio_status(
        self, received: ControlFrame, received_by: str, line: str, gateway: int | None = None
    ) -> str | None:
        """Record a status frame by radio, and return the id of its record; None if it is refused."""
        number = received.control.header.device
        if received.refusal:
            self.refused(number, received.refusal)
        if received.status is None:
            return None
        self._received_by = received_by
        by = None if gateway is None else Sender(gateway, True, line)
        before = self._count
        self._watch.hear_status(Sender(number, False), received.status, received, line, by)
        return next(
            (one.id for one in self._records if isinstance(one, StatusRecord) and one.id > self._id(before)), None
        )

    def refused(self, device: int, reason: Refusal) -> None:
        """Report the first refused frame of a device for a reason."""
        if (device, reason) not in self._refused:
            self._refused.add((device, reason))
            self._event("refused", REFUSALS[reason].format(device=device), device, False, reason=reason.value)

    def unknown_model(self, event: UnknownModel) -> None:
        """Count a frame of an unknown model, and report the second one of a device."""
        device, model = event.header.device, event.header.model
        self._unknown[device, model] += 1
        if self._unknown[device, model] == UNKNOWN_MODEL_FRAMES:
            text = (
                f"device {device} sends frames of an unknown model, which are skipped: pass its bundle too (its model "
                f"id ends in the bits {model:05b}; known models: {self._models})"
            )
            self._event("unknown-model", text, device, False, model_bits=model)

    def board_text(self, line: str, causes: Iterable[Cause]) -> None:
        """Report what a board says in plain text; the same again only after a while."""
        for cause in causes:
            key, now = (line, cause.meaning), self._clock()
            if now - self._texts.get(key, -TEXT_S) >= TEXT_S:
                self._texts[key] = now
                self._event("board-text", f"{line}: {cause}", line=line, said=cause.said)

    def port_lost(self, line: str, reason: str) -> None:
        """Report that a port is gone."""
        self._watch.pause(line)
        self._event("port-lost", f"{line} is lost: {printable(reason)}", line=line, reason=reason)

    def port_found(self, line: str) -> None:
        """Report that a port is back."""
        self._watch.resume(line)
        self._event("port-back", f"{line} is back", line=line)

    def state_not_saved(self, reason: str) -> EventRecord:
        """Return the event that the state file could not be written."""
        self._event("state-not-saved", reason)
        event = self._records.pop()
        assert isinstance(event, EventRecord)
        return event

    def _board_error(self, received: ControlFrame) -> None:
        """Report each unsolicited error of a board once."""
        control = received.control
        if control.opcode != Opcode.ERROR or len(control.data) < ErrorReply.FORMAT.size:
            return
        reply, device = ErrorReply.unpack(control.data), control.header.device
        if (device, reply.code) not in self._errors:
            self._errors.add((device, reply.code))
            text = f"device {device} reported an error: {describe(reply)}"
            self._event("board-error", text, device, False, code=reply.code)

    def _report(self, finding: Finding) -> None:
        sender = finding.sender
        if isinstance(finding, StatusHeard):
            self._status(finding)
        elif isinstance(finding, Clash):
            self._event("clash", finding.text, sender.device, sender.gateway)
        else:
            name = "back" if isinstance(finding, Back) else "silent"
            self._event(name, finding.text, sender.device, sender.gateway, seconds=round(finding.seconds, 1))

    def _status(self, heard: StatusHeard) -> None:
        status, received, values = heard.status, heard.received, heard.values
        self._count += 1
        self._records.append(
            StatusRecord(
                id=self._id(self._count),
                site=self._site,
                time=self._wall_clock(),
                device=heard.sender.device,
                gateway=heard.sender.gateway,
                counter=status.counter,
                uptime_s=status.uptime_s,
                boots=status.boots or None,
                reset_cause=str(values["reset_cause"]),
                mode=str(values["mode"]),
                threshold=status.threshold,
                battery_v=status.battery_mv / 1000 or None,
                air_left_s=status.air_left_s,
                period_s=status.period_s or None,
                received_by=self._received_by,
                snr_db=received.snr_db,
                rssi_dbm=received.rssi_dbm,
            )
        )

    def _event(
        self,
        event: str,
        text: str,
        device: int | None = None,
        gateway: bool | None = None,
        **values: Any,  # noqa: ANN401
    ) -> None:
        self._count += 1
        self._records.append(
            EventRecord(self._id(self._count), self._site, self._wall_clock(), event, text, device, gateway, values)
        )

    def _id(self, count: int) -> str:
        return f"{self._token}-{count:08}"
