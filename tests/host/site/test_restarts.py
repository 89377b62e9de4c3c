"""Restarts of a site: nothing is lost, repeated under another id, or forgotten."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from host.errors import HostError
from host.keys.policy import DevicePolicy
from host.site.packets import GatewayPacket
from host.site.records import ReadingRecord
from tests.host.secured import DEVICE, KEYS, SecuredBoard
from tests.host.site.town import Town, events, packet, readings
from tests.support.host import make_frame
from wire.bundle import Bundle


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


def test_state_file_on_a_full_disk_is_one_event(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object) -> None:
        raise HostError("cannot use state file x: database or disk is full")

    assert town.site._state
    for sequence in (5, 15):
        with monkeypatch.context() as full:
            full.setattr(town.site._state, "save", fail)
            records = town.hear(packet(town.bundle, sequence))
            assert len(readings(records)) == 1 and events(records) == ["state-not-saved"]
            assert events(town.site.poll() + town.hear(packet(town.bundle, sequence + 1))) == []
        assert events(town.hear(packet(town.bundle, sequence + 2))) == []


def test_state_file_is_written_by_another_thread_than_opened_it(town: Town) -> None:
    with ThreadPoolExecutor(1) as other:
        records = other.submit(town.hear, packet(town.bundle, 5)).result()
    assert len(readings(records)) == 1 and events(records) == []
    town.kill()
    town.start()
    assert town.site.poll() == records


def test_damaged_outbox_is_refused(town: Town) -> None:
    town.hear(packet(town.bundle, 5))
    assert town.site._state
    town.site._state._file.execute("UPDATE record SET content = '{}'")
    town.kill()
    with pytest.raises(HostError, match="its contents are damaged"):
        town.start()


@pytest.mark.parametrize("known", [0, 12], ids=["new device", "known rhythm"])
@pytest.mark.parametrize("drained", ["one after the other", "newest first", "both at once"])
def test_packets_that_waited_count_at_the_time_of_their_reception(town: Town, known: int, drained: str) -> None:
    """A broker was away for minutes. Then each gateway delivers what it has kept."""
    town.introduce("north", "south")
    kept: dict[str, list[GatewayPacket]] = {"north": [], "south": []}
    found: list[ReadingRecord] = []
    numbers = list(range(3, 3 + known + (25 if drained == "one after the other" else 60)))
    for number in numbers:
        town.now += 20.0
        for gateway, packets in kept.items():
            packets.append(town.packet(packet(town.bundle, number), gateway, 0.02))
            if number < 3 + known:
                town.site.take(packets.pop())
        town.now += 1.0
        found += readings(town.site.poll())
    town.now += 10.0
    waiting = [one for packets in kept.values() for one in packets]
    if drained == "both at once":  # but not in step
        waiting.sort(key=lambda one: one.number + 7 * (one.gateway == "south"))
    for place, one in enumerate(waiting if drained != "newest first" else reversed(waiting)):
        town.site.take(one)
        town.now += 6.0 if drained == "one after the other" and place == len(waiting) // 2 else 0.02
        found += readings(town.site.poll())
    town.now += 6.0
    found += readings(town.site.poll())
    last = {one.id: one for one in found}
    assert sorted(one.image_number for one in last.values()) == numbers, "one reading of each image"
    assert all(len(one.receptions) == 2 for one in last.values())
    assert not any(one.lost for one in last.values())
