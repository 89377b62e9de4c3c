"""`inkling receive`: status frames, devices that fall silent and return, and numbers that two boards have."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from host.cli.output import Output
from host.cli.reports import devices
from host.cli.reports.devices import DeviceReports
from host.receive.events import ControlFrame
from tests.host.cli.process import run
from tests.support.host import make_frame
from tests.support.lines import fake_line, sends
from wire.bundle import Bundle
from wire.control import REPLY_BIT, Opcode, Packet, parse_control, reply
from wire.frame import SYNC
from wire.replies.status import NOT_LIMITED, ResetCause, Status, parse_status, setting_byte, status_frame

GATEWAY = 9
NODE = Status(70_969, 266_645, 17, ResetCause.WATCHDOG, setting_byte(2, 9), 3712, 341, 3600)
LINE = Status(5, 61, 0, ResetCause.POWER_ON, setting_byte(0, 0), 0, NOT_LIMITED, 60)


def packet(count: int, payload: bytes, gateway: int = GATEWAY, snr_db: float = -8.5) -> bytes:
    """Return the control frame of a gateway's packet."""
    return reply(Opcode.PACKET | REPLY_BIT, count % 256, Packet(True, -124.25, snr_db, payload).pack(), gateway, 0)


def received(frame: bytes) -> ControlFrame:
    """Return the event of a control frame with its sync."""
    control = parse_control(frame[len(SYNC) :])
    assert control is not None
    return ControlFrame(control, status=parse_status(control))


class Clock:
    """The monotonic clock of the reports, and what they write."""

    def __init__(self, target: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.now = 1000.0
        self._target, self._capsys = target, capsys

    @property
    def events(self) -> list[dict]:
        """The events written so far, without time."""
        lines = [json.loads(line) for line in self._target.read_text().splitlines()]
        return [{key: value for key, value in line.items() if key != "time"} for line in lines]

    def notes(self) -> list[str]:
        """The notes since the last call."""
        return self._capsys.readouterr().err.splitlines()


@pytest.fixture
def clock(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock(tmp_path / "log.jsonl", capsys)
    monkeypatch.setattr(devices.time, "monotonic", lambda: clock.now)
    return clock


@pytest.fixture
def reports(clock: Clock, tmp_path: Path) -> DeviceReports:
    return DeviceReports(Output(str(tmp_path / "log.jsonl")))


def wait(clock: Clock, reports: DeviceReports, seconds: float, step_s: float = 5) -> None:
    """Let time pass, with checks."""
    for _ in range(round(seconds / step_s)):
        clock.now += step_s
        reports.check()


def hear_status(reports: DeviceReports, device: int = 3, status: Status = LINE) -> None:
    reports.hear_control(received(status_frame(status, device, 0)), None, set())


def hear_packet(reports: DeviceReports, device: int, status: Status = NODE, count: int = 0) -> None:
    """A gateway forwards the status packet of a node."""
    payload = status_frame(status, device, 0, sync=False)
    control = parse_control(payload)
    assert control is not None
    event = ControlFrame(control, GATEWAY, -8.5, -124.25, parse_status(control))
    reports.hear_control(received(packet(count, payload)), event, set())


def kinds(clock: Clock) -> list[tuple[str, int, bool]]:
    return [(e["event"], e["device"], e["gateway"]) for e in clock.events if e["event"] != "status"]


def test_receive_counts_losses_by_status_frames(bundle: Bundle) -> None:
    sent = [make_frame(bundle, 2, device=3)]
    sent += [status_frame(replace(LINE, counter=counter), 3, bundle.number) for counter in (3, 45)]
    sent.append(make_frame(bundle, 45 % 32, device=3))
    with fake_line(sends(b"".join(sent), hold=True)) as url:
        code, _, err = run("receive", "--port", url, "--bundle", bundle.path, "--count", 2)
    assert code == 0 and "2 frames, 42 lost, 0 duplicates" in err


def test_receive_shows_status_frames_and_writes_events(bundle: Bundle, tmp_path: Path) -> None:
    target = tmp_path / "log.jsonl"
    sent = [
        status_frame(LINE, 3, bundle.number),
        packet(0, status_frame(NODE, 7, bundle.number, sync=False)),
        make_frame(bundle, 0),
    ]
    with fake_line(sends(b"".join(sent), hold=True)) as url:
        code, out, err = run("receive", "--port", url, "--bundle", bundle.path, "--json", target, "--count", 1)
    assert code == 0 and "0 bytes of garbage; 1 packets by radio, 0 lost between gateway and host, 0 foreign\n" in err
    line, node, _ = out.splitlines()[1:]
    assert line[10:] == "device 3    status: up 61 s, last reset: power-on, next image 5"
    assert node[10:] == (
        "device 7    status: up 3 d, last reset: watchdog, next image 70969, boot 17, 3.71 V, 3.41 s of air time left, "
        "SNR -8.5 dB"
    )
    events = [json.loads(text) for text in target.read_text().splitlines()]
    assert [event.pop("event", "reading") for event in events] == ["status", "status", "reading"]
    common: dict[str, object] = {"last_seen_s": None, "gateway": False}
    by_line: dict[str, object] = {"received_by": None, "snr_db": None, "rssi_dbm": None}
    by_radio: dict[str, object] = {"received_by": GATEWAY, "snr_db": -8.5, "rssi_dbm": -124.25}
    numbers: dict[str, object] = {
        "device": 3,
        "counter": 5,
        "uptime_s": 61,
        "boots": None,
        "reset_cause": "power-on",
        "mode": "features",
    }
    more: dict[str, object] = {"threshold": 0, "battery_v": None, "air_left_s": None, "period_s": 60}
    assert {key: value for key, value in events[0].items() if key != "time"} == common | by_line | numbers | more
    numbers = {"device": 7, "counter": 70_969, "uptime_s": 266_645, "boots": 17, "reset_cause": "watchdog"}
    more = {"mode": "adaptive", "threshold": 9, "battery_v": 3.712, "air_left_s": 3.41, "period_s": 3600}
    assert {key: value for key, value in events[1].items() if key != "time"} == common | by_radio | numbers | more


def test_receive_counts_damaged_status_frames(bundle: Bundle) -> None:
    damaged = bytearray(status_frame(NODE, 7, bundle.number, sync=False))
    damaged[20] ^= 1
    with fake_line(sends(packet(0, bytes(damaged)) + make_frame(bundle, 0), hold=True)) as url:
        code, _, err = run("receive", "--port", url, "--bundle", bundle.path, "--count", 1)
    assert code == 0 and err.endswith("0 foreign, 1 damaged status frames\n")


def test_status_of_later_firmware_shows_unknown_codes_as_numbers(reports: DeviceReports, clock: Clock) -> None:
    hear_status(reports, status=Status(0, 61, 0, 99, setting_byte(7, 0), 0, NOT_LIMITED, 60))
    assert (clock.events[0]["reset_cause"], clock.events[0]["mode"]) == ("code 99", 7)


def test_status_says_when_the_device_was_last_seen(
    reports: DeviceReports, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    hear_status(reports)
    clock.now += 41
    hear_status(reports)
    assert [event["last_seen_s"] for event in clock.events] == [None, 41.0]
    first, second = capsys.readouterr().out.splitlines()
    assert "last seen" not in first and second.endswith("last seen 41 s before")


def test_device_that_falls_silent_and_returns_is_reported_once_each(reports: DeviceReports, clock: Clock) -> None:
    hear_status(reports)
    wait(clock, reports, 205)
    assert kinds(clock) == []
    wait(clock, reports, 10_000)
    assert kinds(clock) == [("silent", 3, False)]
    assert clock.notes() == [
        "inkling: nothing from device 3 for 4 min: check its supply and its link (of its usual pauses, the longest is "
        "60 s)"
    ]
    for _ in range(5):
        hear_status(reports)
        wait(clock, reports, 60)
    assert kinds(clock) == [("silent", 3, False), ("back", 3, False)]
    assert [event["seconds"] for event in clock.events if event["event"] != "status"] == [210.0, 10_205.0]
    assert clock.notes() == ["inkling: device 3 is back (after 3 h of silence)"]


def test_line_that_is_lost_makes_no_device_silent(reports: DeviceReports, clock: Clock) -> None:
    hear_status(reports)
    wait(clock, reports, 100)
    reports.pause()
    clock.now += 5000
    reports.resume()
    wait(clock, reports, 105)
    assert kinds(clock) == []
    wait(clock, reports, 10)
    assert kinds(clock) == [("silent", 3, False)]


def test_gateway_that_falls_silent_makes_no_node_silent(reports: DeviceReports, clock: Clock) -> None:
    gateway = Status(0, 61, 0, 0, setting_byte(0, 0, gateway=True), 0, NOT_LIMITED, 600)
    often = replace(NODE, period_s=60)
    hear_status(reports, GATEWAY, gateway)
    hear_packet(reports, 7, often)
    wait(clock, reports, 6000)
    assert kinds(clock) == [("silent", GATEWAY, True)]
    hear_status(reports, GATEWAY, gateway)
    wait(clock, reports, 150)
    assert kinds(clock)[1:] == [("back", GATEWAY, True)], "the node has as much time as if it had been heard now"
    hear_status(reports, GATEWAY, gateway)
    wait(clock, reports, 60)
    hear_status(reports, GATEWAY, gateway)
    wait(clock, reports, 5)
    assert kinds(clock)[2:] == [("silent", 7, False)]


def test_node_is_missed_while_its_gateway_without_status_frames_is_silent_too(
    reports: DeviceReports, clock: Clock
) -> None:
    hear_packet(reports, 7)
    wait(clock, reports, 3.5 * 3600)
    assert kinds(clock) == [("silent", 7, False)]


def test_two_boards_with_one_number_are_named_by_their_status_frames(reports: DeviceReports, clock: Clock) -> None:
    for n in range(4):
        for start in (0, 500):
            uptime = round(clock.now) - start
            hear_status(reports, 3, replace(LINE, counter=5 * (n + 1), uptime_s=uptime))
            clock.now += 30
    assert kinds(clock) == [("clash", 3, False)]
    assert clock.notes() == [
        "inkling: two boards seem to send as device 3, as their status frames contradict each other: build each with "
        "its own number (-D INKLING_DEVICE=N)"
    ]


def test_gateway_and_node_with_one_number_do_not_clash(reports: DeviceReports, clock: Clock) -> None:
    """Number 1 is the default of both."""
    gateway = Status(0, 61, 0, 0, setting_byte(0, 0, gateway=True), 0, NOT_LIMITED, 60)
    for _ in range(5):
        hear_status(reports, 1, gateway)
        hear_packet(reports, 1)
        clock.now += 60
        gateway = replace(gateway, uptime_s=gateway.uptime_s + 60)
    assert kinds(clock) == []


def test_two_gateways_with_one_number_are_named(bundle: Bundle, tmp_path: Path) -> None:
    target = tmp_path / "log.jsonl"
    air = [make_frame(bundle, n)[len(SYNC) :] for n in range(20)]
    sent = [packet(n, frame, snr_db=snr) for n, frame in enumerate(air) for snr in (-8.5, -3.25)]
    with fake_line(sends(b"".join(sent), hold=True)) as url:
        code, _, err = run("receive", "--port", url, "--bundle", bundle.path, "--json", target, "--count", 40)
    assert code == 0 and err.splitlines()[0] == (
        "inkling: two gateways seem to send as gateway 9, so packets seem lost between gateway and host: build each "
        "with its own number (-D INKLING_DEVICE=N)"
    )
    events = [json.loads(line) for line in target.read_text().splitlines()]
    (clash,) = (event for event in events if event.get("event"))
    assert (clash["event"], clash["device"], clash["gateway"]) == ("clash", GATEWAY, True)


@pytest.mark.parametrize(
    ("seconds", "text"), [(3, "3 s"), (119, "119 s"), (121, "2 min"), (7300, "2 h"), (86_400 * 3, "3 d")]
)
def test_durations_are_in_a_unit_that_suits_them(
    seconds: int, text: str, reports: DeviceReports, capsys: pytest.CaptureFixture[str]
) -> None:
    hear_status(reports, status=replace(LINE, uptime_s=seconds))
    assert f"up {text}," in capsys.readouterr().out
