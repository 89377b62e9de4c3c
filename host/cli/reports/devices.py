"""The devices that `inkling receive` hears: their status, their silences, and numbers that two of them have."""

import time
from collections import defaultdict
from typing import NamedTuple

from host.cli.output import Output
from host.cli.reports.notes import Notes
from host.receive.availability import Availability
from host.receive.clash import StatusClashDetector
from host.receive.events import AnswerFrame, ControlFrame, Event, FeatureFrame
from wire.control import REPLY_BIT, Mode, Opcode
from wire.replies.status import ResetCause, Status

CHECK_S = 1.0
_CAUSES: dict[int, str] = {
    ResetCause.UNKNOWN: "unknown",
    ResetCause.POWER_ON: "power-on",
    ResetCause.RESET_PIN: "reset pin",
    ResetCause.SOFTWARE: "software",
    ResetCause.WATCHDOG: "watchdog",
    ResetCause.BROWN_OUT: "brown-out",
    ResetCause.CRASH: "crash",
    ResetCause.DEEP_SLEEP: "deep sleep",
}
_MODES = {int(mode): mode.name.lower() for mode in Mode}


class Sender(NamedTuple):
    """A board that is heard. A gateway and a node may have the same number."""

    device: int
    gateway: bool

    def __str__(self) -> str:
        return f"{'gateway' if self.gateway else 'device'} {self.device}"


class DeviceReports:
    """Reports on devices: lines and events of their status frames, and one note for each silence and each clash."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._silences, self._returns, self._clashes = (Notes(output) for _ in range(3))
        self._senders: dict[Sender, Availability] = {}
        self._gateways: dict[Sender, Sender] = {}  # the last one that received the sender by radio
        self._statuses: defaultdict[tuple[Sender, bool], StatusClashDetector] = defaultdict(StatusClashDetector)
        self._clashing: set[Sender] = set()  # reported
        self._checked = self._paused = time.monotonic()

    def hear_image(self, frame: FeatureFrame | AnswerFrame) -> None:
        """Record the frame of an image, and note once that two boards seem to send as its device."""
        self._hear(Sender(frame.device, False))
        if frame.place.clash:
            self._note_clash(Sender(frame.device, False), "so half of its frames are unexpected")

    def hear_control(self, received: ControlFrame, event: Event | None, clashing: set[int]) -> None:
        """Record a control frame from the line. event: what it contains, if it is a gateway's packet.

        clashing: the numbers that two gateways seem to have.
        """
        control = received.control
        is_packet = control.opcode == Opcode.PACKET | REPLY_BIT
        status = received.status
        sender = Sender(control.header.device, is_packet or (status is not None and status.is_gateway))
        if status:
            self._show(sender, status, received)
        elif is_packet:
            self._hear(sender)
        if isinstance(event, ControlFrame) and event.status:
            self._show(Sender(event.control.header.device, False), event.status, event)
        if is_packet and isinstance(event, FeatureFrame | AnswerFrame | ControlFrame):
            device = event.control.header.device if isinstance(event, ControlFrame) else event.device
            self._gateways[Sender(device, False)] = sender
        if is_packet and control.header.device in clashing:
            self._note_clash(sender, "so packets seem lost between gateway and host")

    def check(self) -> None:
        """Report the devices that have been silent for too long. Call often."""
        now = time.monotonic()
        if now - self._checked < CHECK_S:
            return
        self._checked = now
        for sender, availability in self._senders.items():
            silence = availability.check(min(now, self._last_chance(sender, now)))
            if silence is not None:
                self._event("silent", sender, seconds=round(silence, 1))
                self._silences.add(
                    f"nothing from {sender} for {_duration(silence)}: check its supply and its link (of its usual "
                    f"pauses, the longest is {_duration(availability.usual_s or 0)})"
                )

    def pause(self) -> None:
        """Stop counting silence: the line is gone, which is no device's fault."""
        self._paused = time.monotonic()

    def resume(self) -> None:
        """Count silence again: the line is there."""
        now = time.monotonic()
        for availability in self._senders.values():
            availability.excuse(now - self._paused, now)

    def flush(self) -> None:
        """Print the notes left out."""
        for notes in (self._silences, self._returns, self._clashes):
            notes.flush()

    def _hear(self, sender: Sender) -> float | None:
        """Record a frame, and return the seconds since the last one, if there was one."""
        now = time.monotonic()
        availability = self._senders.get(sender)
        if availability is None:
            self._senders[sender] = Availability(now)
            return None
        before = now - availability.last_heard
        silence = availability.hear(now)
        if silence is not None:
            self._event("back", sender, seconds=round(silence, 1))
            self._returns.add(f"{sender} is back (after {_duration(silence)} of silence)")
            for other, gateway in self._gateways.items():
                if gateway == sender:
                    self._senders[other].excuse(silence, now)
        return before

    def _last_chance(self, sender: Sender, now: float) -> float:
        """Return the last time at which the sender could have been heard.

        A gateway that is silent cannot forward anything. One that sends no status frames may have nothing to send.
        """
        gateway = self._senders.get(self._gateways.get(sender, sender))
        if sender not in self._gateways or gateway is None or gateway.period_s is None:
            return now
        return gateway.last_heard

    def _show(self, sender: Sender, status: Status, received: ControlFrame) -> None:
        """Print the line of a status frame and write its event."""
        before = self._hear(sender)
        self._senders[sender].period_s = status.period_s or None
        cause = _CAUSES.get(status.reset_cause, f"code {status.reset_cause}")
        parts = [f"up {_duration(status.uptime_s)}", f"last reset: {cause}", f"next image {status.counter}"]
        parts += [f"boot {status.boots}"] * bool(status.boots)
        parts += [f"{status.battery_mv / 1000:.2f} V"] * bool(status.battery_mv)
        parts += [] if status.air_left_s is None else [f"{status.air_left_s:.2f} s of air time left"]
        parts += [] if received.snr_db is None else [f"SNR {received.snr_db:.1f} dB"]
        parts += [] if before is None else [f"last seen {_duration(before)} before"]
        self._output.line(f"{time.strftime('%H:%M:%S')}  {sender!s:<12}status: {', '.join(parts)}")
        self._event(
            "status",
            sender,
            last_seen_s=None if before is None else round(before, 1),
            counter=status.counter,
            uptime_s=status.uptime_s,
            boots=status.boots or None,
            reset_cause=cause,
            mode=_MODES.get(status.mode, status.mode),
            threshold=status.threshold,
            battery_v=status.battery_mv / 1000 or None,
            air_left_s=status.air_left_s,
            period_s=status.period_s,
            received_by=received.gateway,
            snr_db=received.snr_db,
            rssi_dbm=received.rssi_dbm,
        )
        detector = self._statuses[sender, received.gateway is not None]
        detector.record(status, time.monotonic())
        if detector.found:
            self._note_clash(sender, "as their status frames contradict each other")

    def _event(self, event: str, sender: Sender, **values: object) -> None:
        self._output.json_line(event=event, device=sender.device, gateway=sender.gateway, **values)

    def _note_clash(self, sender: Sender, consequence: str) -> None:
        if sender in self._clashing:
            return
        self._clashing.add(sender)
        self._event("clash", sender)
        kind = "gateways" if sender.gateway else "boards"
        self._clashes.add(
            f"two {kind} seem to send as {sender}, {consequence}: build each with its own number (-D INKLING_DEVICE=N)"
        )


def _duration(seconds: float) -> str:
    """Return a duration in its two largest units."""
    minutes, hours, days = seconds / 60, seconds / 3600, seconds / 86400
    if seconds < 120:
        return f"{seconds:.0f} s"
    if minutes < 120:
        return f"{minutes:.0f} min"
    return f"{hours:.0f} h" if hours < 48 else f"{days:.0f} d"
