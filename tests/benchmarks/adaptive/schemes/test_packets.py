"""Tests of conventional packets: shares that arrive beside direct simulations, and their air times."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.adaptive.schemes.cells import CLEAN, Cell
from benchmarks.adaptive.schemes.packets import CodedPacket, LoRaPacket, Simulation, crc_packet
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
        assert abs(shares[packet.key] - expected) < 4 * np.sqrt(2 * 0.25 / 3000)
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
    file.write_text(file.read_text().replace(str(first[packet.key]), "0.25"))
    assert simulation.delivered(cell, [packet]) == {packet.key: 0.25}


def test_delivered_needs_no_simulation_on_clean_and_dead_links(simulation: Simulation) -> None:
    packet = crc_packet(4, 5, True)
    assert simulation.delivered(Cell(12, CLEAN), [packet]) == {packet.key: 1.0}
    assert simulation.delivered(Cell(12, -5.0), [packet]) == {packet.key: 1.0}
    assert simulation.delivered(Cell(7, -20.0), [packet]) == {packet.key: 0.0}
    assert not simulation.folder.exists()
