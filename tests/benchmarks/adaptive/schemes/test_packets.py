"""Tests of conventional packets: shares that arrive beside direct simulations, and their air times."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.adaptive.schemes.cells import CLEAN, Cell
from benchmarks.adaptive.schemes.packets import CodedPacket, LoRaPacket, Share, Simulation, crc_packet
from channel_sim.channels.lora import LoRa


@pytest.fixture
def simulation(tmp_path: Path) -> Simulation:
    return Simulation(3000, 300, 0, tmp_path / "kept")


@pytest.mark.parametrize(("coding_rate", "header"), [(5, True), (8, False)])
def test_delivered_agrees_with_packets_sent_directly(simulation: Simulation, coding_rate: int, header: bool) -> None:
    cell = Cell(7, -9.5)
    packets = [crc_packet(size, coding_rate, header) for size in (4, 20, 51)]
    shares = simulation.delivered(cell, packets)
    for packet in packets:
        radio = LoRa(-9.5, 7, coding_rate, explicit_header=header)
        frames = np.zeros((3000, packet.size - 2), np.uint8)
        _, crc_ok, lost = radio.transmit(frames, np.random.default_rng(1))
        expected = (crc_ok & ~lost).mean()
        assert abs(shares[packet.key].value - expected) < 4 * np.sqrt(2 * 0.25 / 3000)
        assert packet.air_time_s(7) == pytest.approx(radio.air_time_s(packet.size - 2))


def test_delivered_orders_packets_by_strength(simulation: Simulation) -> None:
    plain, corrected = LoRaPacket(60, 5, True), LoRaPacket(60, 5, True, correctable=8)
    soft, hard = CodedPacket(200, True), CodedPacket(200, False)
    shares = simulation.delivered(Cell(7, -11.0), [plain, corrected, soft, hard])
    assert shares[plain.key] < shares[corrected.key] < shares[hard.key] <= shares[soft.key]


def test_delivered_is_simulated_once(simulation: Simulation) -> None:
    cell, packet = Cell(8, -13.0), CodedPacket(60, True)
    first = simulation.delivered(cell, [packet])
    (file,) = simulation.folder.iterdir()
    file.write_text(file.read_text().replace(str(first[packet.key].value), "0.25"))
    share = simulation.delivered(cell, [packet])[packet.key]
    assert share.value == 0.25 and share.error == pytest.approx(np.sqrt(0.25 * 0.75 / 300), rel=0.01)


def test_delivered_does_not_depend_on_what_was_asked_before(tmp_path: Path) -> None:
    cell, short, long = Cell(7, -10.0), crc_packet(4, 5, True), crc_packet(60, 5, True)
    one, other = (Simulation(300, 1, 0, tmp_path / name) for name in ("one", "other"))
    one.delivered(cell, [short])
    assert one.delivered(cell, [short, long]) == other.delivered(cell, [short, long])


def test_share_of_all_packets_has_an_error() -> None:
    assert 0 < Share.of(1.0, 1000).error < 0.002


def test_delivered_needs_no_simulation_on_clean_and_dead_links(simulation: Simulation) -> None:
    packet = crc_packet(4, 5, True)
    assert simulation.delivered(Cell(12, CLEAN), [packet]) == {packet.key: Share(1.0, 0.0)}
    assert simulation.delivered(Cell(12, -5.0), [packet]) == {packet.key: Share(1.0, 0.0)}
    assert simulation.delivered(Cell(7, -20.0), [packet]) == {packet.key: Share(0.0, 0.0)}
    assert not simulation.folder.exists()
