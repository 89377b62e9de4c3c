"""The devices that `inkling receive` hears: their status, their silences, and numbers that two of them have."""

import time

from host.cli.output import Output
from host.cli.reports.notes import Notes
from host.receive.events import AnswerFrame, ControlFrame, Event, FeatureFrame
from host.site.watch import Clash, DeviceWatch, Finding, Sender, Silent, StatusHeard, duration
from wire.control import REPLY_BIT, Opcode


class DeviceReports:
    """Reports on devices: lines and events of their status frames, and one note for each silence and each clash."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._silences, self._returns, self._clashes = (Notes(output) for _ in range(3))
        self._watch = DeviceWatch(self._report, time.monotonic)

    def hear_image(self, frame: FeatureFrame | AnswerFrame) -> None:
        """Record the frame of an image, and note once that two boards seem to send as its device."""
        sender = Sender(frame.device, False)
        self._watch.hear(sender)
        if frame.place.clash:
            self._watch.clash(sender, "so half of its frames are unexpected")

    def hear_control(self, received: ControlFrame, event: Event | None, clashing: set[int]) -> None:
        """Record a control frame from the line. event: what it contains, if it is a gateway's packet.

        clashing: the numbers that two gateways seem to have.
        """
        control = received.control
        is_packet = control.opcode == Opcode.PACKET | REPLY_BIT
        status = received.status
        sender = Sender(control.header.device, is_packet or (status is not None and status.is_gateway))
        if status:
            self._watch.hear_status(sender, status, received)
        elif is_packet:
            self._watch.hear(sender)
        if isinstance(event, ControlFrame) and event.status:
            self._watch.hear_status(Sender(event.control.header.device, False), event.status, event)
        if is_packet and isinstance(event, FeatureFrame | AnswerFrame | ControlFrame):
            device = event.control.header.device if isinstance(event, ControlFrame) else event.device
            self._watch.received_by(Sender(device, False), sender)
        if is_packet and control.header.device in clashing:
            self._watch.clash(sender, "so packets seem lost between gateway and host")

    def check(self) -> None:
        """Report the devices that have been silent for too long. Call often."""
        self._watch.check()

    def pause(self) -> None:
        """Stop counting silence: the line is gone, which is no device's fault."""
        self._watch.pause()

    def resume(self) -> None:
        """Count silence again: the line is there."""
        self._watch.resume()

    def flush(self) -> None:
        """Print the notes left out."""
        for notes in (self._silences, self._returns, self._clashes):
            notes.flush()

    def _report(self, finding: Finding) -> None:
        if isinstance(finding, StatusHeard):
            self._show(finding)
        elif isinstance(finding, Clash):
            self._event("clash", finding.sender)
            self._clashes.add(finding.text)
        elif isinstance(finding, Silent):
            self._event("silent", finding.sender, seconds=round(finding.seconds, 1))
            self._silences.add(finding.text)
        else:
            self._event("back", finding.sender, seconds=round(finding.seconds, 1))
            self._returns.add(finding.text)

    def _show(self, heard: StatusHeard) -> None:
        """Print the line of a status frame and write its event."""
        status, received, before, values = heard.status, heard.received, heard.last_seen_s, heard.values
        parts = [f"up {duration(status.uptime_s)}", f"last reset: {values['reset_cause']}"]
        parts += [f"next image {status.counter}"]
        parts += [f"boot {status.boots}"] * bool(status.boots)
        parts += [f"{status.battery_mv / 1000:.2f} V"] * bool(status.battery_mv)
        parts += [] if status.air_left_s is None else [f"{status.air_left_s:.2f} s of air time left"]
        parts += [] if received.snr_db is None else [f"SNR {received.snr_db:.1f} dB"]
        parts += [] if before is None else [f"last seen {duration(before)} before"]
        self._output.line(f"{time.strftime('%H:%M:%S')}  {heard.sender!s:<12}status: {', '.join(parts)}")
        self._event(
            "status",
            heard.sender,
            last_seen_s=None if before is None else round(before, 1),
            **values,
            received_by=received.gateway,
            snr_db=received.snr_db,
            rssi_dbm=received.rssi_dbm,
        )

    def _event(self, event: str, sender: Sender, **values: object) -> None:
        self._output.json_line(event=event, device=sender.device, gateway=sender.gateway, **values)
