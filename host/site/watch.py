"""Watch over the boards that are heard: their status, their silences, and numbers that two of them have."""

import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from host.receive.availability import Availability
from host.receive.clash import StatusClashDetector
from host.receive.events import ControlFrame
from wire.control import Mode
from wire.replies.status import ResetCause, Status

CHECK_S = 1.0
CAUSES: dict[int, str] = {
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
    """A board that is heard. A gateway and a node may have the same number, and so may gateways on two lines."""

    device: int
    gateway: bool
    line: str = ""  # of a gateway, if there are several lines

    def __str__(self) -> str:
        name = f"{'gateway' if self.gateway else 'device'} {self.device}"
        return f"{name} on {self.line}" if self.line else name


@dataclass(frozen=True)
class Silent:
    """A sender has been silent for too long."""

    sender: Sender
    seconds: float
    usual_s: float  # its longest usual pause

    @property
    def text(self) -> str:
        """The finding for people."""
        return (
            f"nothing from {self.sender} for {duration(self.seconds)}: check its supply and its link (of its usual "
            f"pauses, the longest is {duration(self.usual_s)})"
        )


@dataclass(frozen=True)
class Back:
    """A sender whose silence was reported is heard again."""

    sender: Sender
    seconds: float  # of silence

    @property
    def text(self) -> str:
        """The finding for people."""
        return f"{self.sender} is back (after {duration(self.seconds)} of silence)"


@dataclass(frozen=True)
class Clash:
    """Two boards seem to send as one."""

    sender: Sender
    consequence: str

    @property
    def text(self) -> str:
        """The finding for people."""
        kind = "gateways" if self.sender.gateway else "boards"
        return (
            f"two {kind} seem to send as {self.sender}, {self.consequence}: build each with its own number "
            "(-D INKLING_DEVICE=N)"
        )


@dataclass(frozen=True)
class StatusHeard:
    """A status frame of a sender that counts."""

    sender: Sender
    status: Status
    received: ControlFrame
    last_seen_s: float | None  # seconds since its previous frame; None for its first

    @property
    def values(self) -> dict[str, object]:
        """The fields of the status as events and records have them."""
        status = self.status
        return {
            "counter": status.counter,
            "uptime_s": status.uptime_s,
            "boots": status.boots or None,
            "reset_cause": CAUSES.get(status.reset_cause, f"code {status.reset_cause}"),
            "mode": _MODES.get(status.mode, status.mode),
            "threshold": status.threshold,
            "battery_v": status.battery_mv / 1000 or None,
            "air_left_s": status.air_left_s,
            "period_s": status.period_s,
        }


Finding = Silent | Back | Clash | StatusHeard


class DeviceWatch:
    """Watch over all senders of a host: reports each status, and each silence and clash once.

    report: is given each finding. clock: gives the time in seconds and never goes back.
    """

    def __init__(self, report: Callable[[Finding], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._report, self._clock = report, clock
        self._senders: dict[Sender, Availability] = {}
        self._gateways: dict[Sender, Sender] = {}  # the last one that received the sender by radio
        self._lines: dict[Sender, str] = {}  # the last one on which the sender was heard
        self._statuses: defaultdict[tuple[Sender, bool], StatusClashDetector] = defaultdict(StatusClashDetector)
        self._clashing: set[Sender] = set()  # reported
        self._checked = clock()
        self._paused: dict[str, float] = {}  # lines that are gone, and since when

    def hear(self, sender: Sender, line: str = "", gateway: Sender | None = None) -> float | None:
        """Record a frame, and return the seconds since the last one, if there was one.

        line: on which it came. gateway: on this line, which received it by radio.
        """
        now = self._clock()
        self._lines[sender] = line
        if gateway:
            self._gateways[sender] = gateway
        availability = self._senders.get(sender)
        if availability is None:
            self._senders[sender] = Availability(now)
            return None
        before = now - availability.last_heard
        silence = availability.hear(now)
        if silence is not None:
            self._report(Back(sender, silence))
            for other, its_gateway in self._gateways.items():
                if its_gateway == sender:
                    self._senders[other].excuse(silence, now)
        return before

    def hear_status(
        self, sender: Sender, status: Status, received: ControlFrame, line: str = "", gateway: Sender | None = None
    ) -> None:
        """Record a status frame of a sender, and report it."""
        before = self.hear(sender, line, gateway)
        self._senders[sender].period_s = status.period_s or None
        self._report(StatusHeard(sender, status, received, before))
        detector = self._statuses[sender, received.gateway is not None]
        detector.record(status, self._clock())
        if detector.found:
            self.clash(sender, "as their status frames contradict each other")

    def received_by(self, sender: Sender, gateway: Sender) -> None:
        """Note that a gateway received a sender by radio."""
        self._gateways[sender] = gateway

    def clash(self, sender: Sender, consequence: str) -> None:
        """Report once that two boards seem to send as this one."""
        if sender not in self._clashing:
            self._clashing.add(sender)
            self._report(Clash(sender, consequence))

    def check(self) -> None:
        """Report the senders that have been silent for too long. Call often."""
        now = self._clock()
        if now - self._checked < CHECK_S:
            return
        self._checked = now
        for sender, availability in self._senders.items():
            if self._lines.get(sender) in self._paused:
                continue
            silence = availability.check(min(now, self._last_chance(sender, now)))
            if silence is not None:
                self._report(Silent(sender, silence, availability.usual_s or 0))

    def pause(self, line: str = "") -> None:
        """Stop counting silence: the line is gone, which is no device's fault."""
        self._paused.setdefault(line, self._clock())

    def resume(self, line: str = "") -> None:
        """Count silence again: the line is there."""
        now = self._clock()
        since = self._paused.pop(line, None)
        if since is None:
            return
        for sender, availability in self._senders.items():
            if self._lines.get(sender) == line:
                availability.excuse(now - since, now)

    def _last_chance(self, sender: Sender, now: float) -> float:
        """Return the last time at which the sender could have been heard.

        A gateway that is silent cannot forward anything. One that sends no status frames may have nothing to send.
        """
        gateway = self._senders.get(self._gateways.get(sender, sender))
        if sender not in self._gateways or gateway is None or gateway.period_s is None:
            return now
        return gateway.last_heard


def duration(seconds: float) -> str:
    """Return a duration in its two largest units."""
    minutes, hours, days = seconds / 60, seconds / 3600, seconds / 86400
    if seconds < 120:
        return f"{seconds:.0f} s"
    if minutes < 120:
        return f"{minutes:.0f} min"
    return f"{hours:.0f} h" if hours < 48 else f"{days:.0f} d"
