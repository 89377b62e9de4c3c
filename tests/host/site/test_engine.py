"""Engine of a site: records of lines and gateways, copies of one image as one reading, restarts and redelivery."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from host.errors import HostError
from host.keys.policy import DevicePolicy
from host.site.engine import Site, SiteSettings
from host.site.packets import GatewayPacket
from host.site.records import AnyRecord, EventRecord, ReadingRecord, StatusRecord, record_of
from tests.host.secured import DEVICE, KEYS, SecuredBoard, make_status
from tests.support.damage import damaged
from tests.support.host import make_answer, make_bundle, make_frame, symbols_of
from wire.bundle import Bundle
from wire.control import REPLY_BIT, ErrorCode, ErrorReply, Opcode, Packet, reply
from wire.frame import SYNC
from wire.replies.status import status_frame

START = 1_790_000_000.0  # Unix time at 0 of the clock


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """128 symbols of 3 bits, or answers of 10 classes."""
    return make_bundle(tmp_path_factory.mktemp("site") / "camera", answer=True)


@dataclass
class Town:
    """A site with a clock that a test sets, which can be killed and started again."""

    bundle: Bundle
    state: Path | None = None
    policies: dict[int, DevicePolicy] = field(default_factory=dict)
    now: float = 0.0

    def __post_init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._rng = np.random.default_rng(0)
        self.start()

    def start(self) -> None:
        """Start the site's process, on another clock than before."""
        settings = SiteSettings(self.policies, state=self.state)
        self.site = Site("home", [self.bundle], settings, lambda: self.now, lambda: START + self.now)

    def kill(self) -> None:
        """End the process without closing anything: what is not in the state file is gone."""
        if self.site._state:
            self.site._state.close()

    def packet(self, payload: bytes, gateway: str = "north", ber: float = 0.0, snr_db: float = -8.0) -> GatewayPacket:
        """Return a packet as a gateway publishes it."""
        number = self._numbers[gateway] = self._numbers.get(gateway, 0) + 1
        received = damaged(payload, ber, self._rng)
        return GatewayPacket("home", gateway, "b0", number, START + self.now, received, received == payload, snr_db)

    def hear(self, payload: bytes, *gateways: str, ber: float = 0.0) -> list[AnyRecord]:
        """Let gateways receive a packet, and return the records once it is settled."""
        for gateway in gateways or ("north",):
            self.site.take(self.packet(payload, gateway, ber))
        self.now += 1.0
        return self.site.poll()

    def introduce(self, *gateways: str) -> None:
        """Let gateways be heard, by a frame of the device that several of them receive."""
        for sequence in range(3):
            self.hear(packet(self.bundle, sequence), *gateways)


def packet(bundle: Bundle, sequence: int, device: int = 7, chunk: int = 0) -> bytes:
    """Return a feature frame as a radio sends it."""
    return make_frame(bundle, sequence, device=device, chunk=chunk)[len(SYNC) :]


def readings(records: list[AnyRecord]) -> list[ReadingRecord]:
    """Return the readings among records."""
    return [record for record in records if isinstance(record, ReadingRecord)]


def events(records: list[AnyRecord]) -> list[str]:
    """Return the names of the events among records."""
    return [record.event for record in records if isinstance(record, EventRecord)]


@pytest.fixture
def town(bundle: Bundle, tmp_path: Path) -> Iterator[Town]:
    town = Town(bundle, tmp_path / "state")
    yield town
    town.kill()


def test_one_gateway_is_not_waited_for(town: Town) -> None:
    town.site.take(town.packet(packet(town.bundle, 1)))
    (reading,) = readings(town.site.poll())
    assert (reading.device, reading.sequence, reading.frame) == (7, 1, "features")
    assert reading.symbols == tuple(symbols_of(town.bundle, 1)) and reading.crc_ok and not reading.duplicate
    assert [(one.gateway, one.time, one.snr_db, one.crc_ok) for one in reading.receptions] == [
        ("north", START, -8.0, True)
    ]
    assert record_of(reading.as_json()) == reading


def test_copies_are_one_reading_after_the_settle_window(town: Town) -> None:
    town.introduce("north", "south", "east")
    sent = packet(town.bundle, 5)
    town.site.take(town.packet(sent, "north", 0.1))
    assert town.site.poll() == []
    town.now += 0.1
    town.site.take(town.packet(sent, "south", 0.1))
    assert town.site.poll() == []
    town.now += 0.2
    (reading,) = readings(town.site.poll())
    assert [one.gateway for one in reading.receptions] == ["north", "south"] and not reading.duplicate
    assert reading.time == START + town.now - 0.3 and all(0.02 < one.ber < 0.2 for one in reading.receptions)


def test_all_gateways_end_the_wait(town: Town) -> None:
    town.introduce("north", "south")
    for gateway in ("north", "south"):
        town.site.take(town.packet(packet(town.bundle, 5), gateway))
    (reading,) = readings(town.site.poll())
    assert len(reading.receptions) == 2


def test_gateway_that_is_gone_is_not_waited_for(town: Town) -> None:
    town.introduce("north", "south")
    town.now += 700.0
    town.site.take(town.packet(packet(town.bundle, 5)))
    assert len(readings(town.site.poll())) == 1


def test_three_bad_copies_of_a_new_device_are_read(town: Town) -> None:
    town.introduce("north", "south", "east")
    found = 0
    for n in range(20):
        records = town.hear(packet(town.bundle, n, device=30 + n), "north", "south", "east", ber=0.13)
        found += [(one.device, len(one.receptions)) for one in readings(records)] == [(30 + n, 3)]
    assert found >= 18


def test_late_copy_replaces_the_record_and_is_no_duplicate(town: Town) -> None:
    town.introduce("north", "south")
    sent = packet(town.bundle, 5)
    (first,) = readings(town.hear(sent, "north"))
    (second,) = readings(town.hear(sent, "south"))
    assert second.id == first.id and second.time == first.time and not second.duplicate
    assert [one.gateway for one in second.receptions] == ["north", "south"]
    (third,) = readings(town.hear(sent, "south"))  # a repeater's
    assert third.id == first.id and third.duplicate


def test_chunks_of_an_image_are_one_reading(town: Town) -> None:
    (prefix,) = readings(town.hear(packet(town.bundle, 5, chunk=1)))
    (whole,) = readings(town.hear(packet(town.bundle, 5, chunk=2)))
    assert whole.id == prefix.id and -1 in prefix.symbols and -1 not in whole.symbols


def test_answer_has_no_symbols(town: Town) -> None:
    (reading,) = readings(town.hear(make_answer(town.bundle, 5, sync=False), "north", "south"))
    assert (reading.frame, reading.answered_by, reading.symbols, reading.crc_ok) == ("answer", "board", (), None)


def test_bit_error_rate_is_that_of_each_gateway(town: Town) -> None:
    for sequence in range(25):
        sent = packet(town.bundle, sequence)
        for gateway, ber in (("north", 0.0), ("south", 0.08)):
            town.site.take(town.packet(sent, gateway, ber))
        town.now += 1.0
        (reading,) = readings(town.site.poll())
    north, south = (one.ber for one in reading.receptions)
    assert north < 0.005 and 0.04 < south < 0.14 and reading.ber == north


def test_repeated_delivery_of_a_packet_is_no_copy(town: Town) -> None:
    town.introduce("north", "south")
    one = town.packet(packet(town.bundle, 5))
    town.site.take(one)
    town.site.take(one)
    town.now += 1.0
    (reading,) = readings(town.site.poll())
    assert len(reading.receptions) == 1
    town.site.take(one)
    assert town.site.poll() == [reading]


@pytest.mark.parametrize("secured", [False, True], ids=["plain", "secured"])
@pytest.mark.parametrize("killed", ["taken", "saved", "published", "acknowledged"])
def test_kill_between_any_two_steps_loses_nothing_and_repeats_ids(
    bundle: Bundle, tmp_path: Path, secured: bool, killed: str
) -> None:
    """A decoder saves (in `poll`), publishes, and acknowledges to its broker, which delivers all else again."""
    board = SecuredBoard(bundle)
    town = Town(bundle, tmp_path / "state", {DEVICE: DevicePolicy(KEYS)} if secured else {})
    queue: list[GatewayPacket] = []
    published: dict[int, set[str]] = {}

    def step(stop: str = "") -> None:
        for one in queue:
            town.site.take(one)
        if stop == "taken":
            return
        town.now += 1.0
        records = town.site.poll()
        if stop == "saved":
            return
        for record in readings(records):
            published.setdefault(record.sequence, set()).add(record.id)
        if stop == "published":
            return
        settled = set(town.site.settled())
        queue[:] = [one for one in queue if one.id not in settled]

    for number in range(5):
        sent = board.frame(number, sync=False) if secured else packet(bundle, number)
        queue += [town.packet(sent, gateway, 0.03) for gateway in ("north", "south")]
        step()
    sent = board.frame(5, sync=False) if secured else packet(bundle, 5)
    queue += [town.packet(sent, gateway, 0.03) for gateway in ("north", "south")]
    step(killed)
    town.kill()
    town.now += 90.0  # more than a copy may be late
    town.start()
    step()
    town.site.flush()
    assert queue == [] and sorted(published) == [0, 1, 2, 3, 4, 5]
    assert all(len(ids) == 1 for ids in published.values())
    assert len(set.union(*published.values())) == 6
    town.kill()


def test_lines_records_of_a_killed_process_are_given_out_again(town: Town) -> None:
    town.site.line("usb").feed(make_frame(town.bundle, 5))
    (reading,) = readings(town.site.poll())
    town.kill()
    town.start()
    assert town.site.poll() == [reading] and town.site.poll() == []
    town.site.line("usb").feed(make_frame(town.bundle, 6))
    town.site.poll()
    town.site.close()
    town.start()
    assert town.site.poll() == []


def test_restart_resumes_numbers_and_bit_error_rates(town: Town) -> None:
    for sequence in range(20):
        (before,) = readings(town.hear(packet(town.bundle, sequence), ber=0.06))
    town.site.close()
    town.now += 60.0
    town.start()
    (after,) = readings(town.hear(packet(town.bundle, 20), ber=0.06))
    assert after.image_number == before.image_number + 1 and after.lost_total == before.lost_total == 0
    assert after.id.rpartition("-")[0] == before.id.rpartition("-")[0]
    assert after.ber == pytest.approx(before.ber, rel=0.3)


def test_late_copy_after_a_restart_keeps_earlier_receptions(town: Town) -> None:
    (first,) = readings(town.hear(packet(town.bundle, 5)))
    town.kill()
    town.start()
    assert town.site.poll() == [first]
    (second,) = readings(town.hear(packet(town.bundle, 5), "south", ber=0.1))
    assert second.id == first.id and [one.gateway for one in second.receptions] == ["north", "south"]
    assert second.symbols == first.symbols and second.label == first.label


def test_line_has_boards_and_gateways(town: Town) -> None:
    line = town.site.line("usb")
    line.feed(make_frame(town.bundle, 5, device=3))
    payload = packet(town.bundle, 6, device=4)
    line.feed(reply(Opcode.PACKET | REPLY_BIT, 0, Packet(False, -120.0, -9.0, payload).pack(), 9, 0))
    by_line, by_gateway = readings(town.site.poll())
    assert (by_line.device, by_line.receptions[0].gateway) == (3, "usb")
    assert (by_gateway.device, by_gateway.receptions[0].gateway) == (4, "usb/9")
    assert by_gateway.receptions[0].snr_db == -9.0


def test_two_lines_share_their_devices(town: Town) -> None:
    first, second = town.site.line("a"), town.site.line("b")
    first.feed(make_frame(town.bundle, 5))
    second.feed(make_frame(town.bundle, 6))
    one, two = readings(town.site.poll())
    assert (one.image_number + 1, two.lost) == (two.image_number, 0)


def test_status_by_several_gateways_is_one_record(town: Town) -> None:
    town.introduce("north", "south")
    sent = status_frame(make_status(9), 7, town.bundle.number, sync=False)
    town.site.take(town.packet(sent, "north", snr_db=-9.0))
    town.site.take(town.packet(sent, "south", snr_db=-5.0))
    (status,) = town.site.poll()
    assert isinstance(status, StatusRecord)
    assert (status.device, status.counter, status.received_by, status.snr_db) == (7, 9, "south", -5.0)


def test_silent_device_and_its_return_are_events(town: Town) -> None:
    line = town.site.line("usb")
    line.feed(status_frame(make_status(9), 7, town.bundle.number))
    (status,) = town.site.poll()
    assert isinstance(status, StatusRecord) and status.received_by == "usb"
    town.now += 250.0
    (silent,) = town.site.poll()
    assert isinstance(silent, EventRecord) and (silent.event, silent.device) == ("silent", 7)
    line.feed(make_frame(town.bundle, 5))
    assert events(town.site.poll()) == ["back"]


def test_lost_port_makes_no_device_silent(town: Town) -> None:
    line = town.site.line("usb")
    line.feed(status_frame(make_status(9), 7, town.bundle.number))
    town.site.poll()
    line.lost("unplugged")
    assert events(town.site.poll()) == ["port-lost"]
    town.now += 1000.0
    assert town.site.poll() == []
    line.found()
    town.now += 2.0
    assert events(town.site.poll()) == ["port-back"]


def test_other_findings_are_events_once(town: Town) -> None:
    line = town.site.line("usb")
    for _ in range(3):
        line.feed(reply(Opcode.ERROR, 0, ErrorReply(next(iter(ErrorCode)), 0).pack(), 7, 0))
        line.feed(b"Brownout detector was triggered\r\n")
    assert sorted(events(town.site.poll())) == ["board-error", "board-text"]


def test_refused_frames_are_one_event(bundle: Bundle, tmp_path: Path) -> None:
    town = Town(bundle, tmp_path / "state", {7: DevicePolicy(KEYS)})
    records = [record for n in range(3) for record in town.hear(packet(bundle, n), "north", "south")]
    assert events(records) == ["refused"]
    town.kill()


def test_unknown_model_is_an_event_at_the_second_frame(town: Town, tmp_path: Path) -> None:
    other = make_bundle(tmp_path / "other", seed=5)
    records = [town.hear(packet(other, n)) for n in range(3)]
    assert [events(one) for one in records] == [[], ["unknown-model"], []]


def test_state_file_on_a_full_disk_is_an_event(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object) -> None:
        raise HostError("cannot use state file x: database or disk is full")

    assert town.site._state
    monkeypatch.setattr(town.site._state, "save", fail)
    records = town.hear(packet(town.bundle, 5))
    assert len(readings(records)) == 1 and events(records) == ["state-not-saved"]


def test_damaged_outbox_is_refused(town: Town) -> None:
    town.hear(packet(town.bundle, 5))
    assert town.site._state
    town.site._state._file.execute("UPDATE record SET content = '{}'")
    town.kill()
    with pytest.raises(HostError, match="its contents are damaged"):
        town.start()


@pytest.mark.parametrize("make", [lambda town: b"", lambda town: b"abc", lambda town: bytes(200)])
def test_foreign_packets_are_settled_without_a_record(town: Town, make: Callable[[Town], bytes]) -> None:
    one = town.packet(make(town))
    town.site.take(one)
    assert town.site.poll() == [] and town.site.settled() == [one.id] and town.site.settled() == []
    assert town.site.foreign == 1
