"""Radios of the Arduino port, on mocked cores and a mocked RadioLib (tests/firmware/arduino)."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.firmware.ports import mock_arduino
from tests.firmware.ports.test_arduino import log
from tests.support.firmware import RunningBoard, bundle_path
from wire.bundle import load
from wire.control import REPLY_BIT, Control, ErrorCode, Opcode, Packet, RadioReport, RunCost, run_data

pytestmark = pytest.mark.emulated

RUN_COST_BYTES = 12
NO_LIMIT = "-DINKLING_LORA_DUTY_PERMILLE=1000"  # no limit at the start
PACKET = bytes(range(40, 98))


def send_by_radio(board: RunningBoard, chunk: int = 0) -> Control:
    image = np.load(board.bundle.golden_path)["images"][0]
    board.send(board.command(Opcode.RUN, run_data(chunk, image.tobytes(), by_radio=True)))
    return board.reply()


@pytest.mark.parametrize("name", ["heltec_wifi_lora_32_V3", "ttgo-lora32", "nucleo_wl55jc"])
def test_node_sends_a_frame_by_radio(program: Callable[..., Path], tmp_path: Path, name: str) -> None:
    with mock_arduino.run(program(name, NO_LIMIT), log=str(tmp_path / "log")) as board:
        reply = send_by_radio(board)
        assert (reply.opcode, reply.request) == (Opcode.RUN | REPLY_BIT, board.request)
        RunCost.unpack(reply.data[:RUN_COST_BYTES])
        assert RadioReport.unpack(reply.data[RUN_COST_BYTES:]).chunk == 0
        frame = board.golden_frame(0, sync=False)
    assert f"sent {frame.hex()}" in log(tmp_path / "log")
    assert "limit 140 mA" in log(tmp_path / "log")


RADIOS = {
    "heltec_wifi_lora_32_V3": [
        "module 8 14 12 13",
        "spi 9 11 10 8",
        "begin 868.100 125.0 sf7 cr5 sync 12 14 dBm preamble 8 tcxo 1.8",
    ],
    "ttgo-lora32": ["module 18 26 23 33", "spi 5 19 27 18", "begin 868.100 125.0 sf7 cr5 sync 12 14 dBm preamble 8"],
    "nucleo_wl55jc": [
        "switch 23 33 32 4294967295",
        "begin 868.100 125.0 sf7 cr5 sync 12 14 dBm preamble 8 tcxo 1.7",
    ],
}


@pytest.mark.parametrize("name", sorted(RADIOS))
def test_radio_is_set_up_with_the_boards_pins(program: Callable[..., Path], tmp_path: Path, name: str) -> None:
    with mock_arduino.run(program(f"{name}_gateway"), log=str(tmp_path / "log")) as board:
        board.info()
    assert [line for line in log(tmp_path / "log") if line in RADIOS[name]] == RADIOS[name]


@pytest.mark.parametrize("name", ["heltec_wifi_lora_32_V3", "ttgo-lora32", "nucleo_wl55jc"])
def test_radio_that_does_not_respond_is_reported(program: Callable[..., Path], name: str) -> None:
    with mock_arduino.run(program(name, NO_LIMIT), broken="1") as board:
        board.info()
        image = bytes(np.prod(board.bundle.input_shape))
        board.send(board.command(Opcode.RUN, run_data(0, image, by_radio=True)))
        assert board.error() == (ErrorCode.RADIO, Opcode.RUN, board.request)
    with mock_arduino.run(program(f"{name}_gateway"), broken="1") as board:
        assert board.error() == (ErrorCode.RADIO, 0, 0)  # unsolicited
        assert board.info().wire_version == 1


def receive_packet(board: RunningBoard) -> Packet:
    reply = board.reply()
    assert reply.opcode == Opcode.PACKET | REPLY_BIT
    return Packet.unpack(reply.data)


@pytest.mark.parametrize("name", ["heltec_wifi_lora_32_V3", "ttgo-lora32", "nucleo_wl55jc"])
def test_gateway_passes_every_packet_to_the_host(program: Callable[..., Path], tmp_path: Path, name: str) -> None:
    air = tmp_path / "air"
    packets = [("ok", -97.5, 7.25, PACKET), ("bad", -121.0, -9.5, PACKET[::-1]), ("none", -130.25, -12.0, b"\x00")]
    air.write_text("".join(f"{crc} {rssi} {snr} {data.hex()}\n" for crc, rssi, snr, data in packets))
    with mock_arduino.run(program(f"{name}_gateway"), air=str(air)) as board:
        for number, (crc, rssi, snr, data) in enumerate(packets):
            reply = board.reply()
            assert (reply.opcode, reply.request) == (Opcode.PACKET | REPLY_BIT, number)
            packet = Packet.unpack(reply.data)
            assert (packet.crc_ok, packet.rssi_dbm, packet.snr_db, packet.payload) == (crc == "ok", rssi, snr, data)


@pytest.mark.parametrize("name", ["heltec_wifi_lora_32_V3", "ttgo-lora32", "nucleo_wl55jc"])
def test_gateway_keeps_the_crc_result_of_packets_with_implicit_header(
    program: Callable[..., Path], tmp_path: Path, name: str
) -> None:
    air, size = tmp_path / "air", load(bundle_path()).chunk_layout(0).size
    packet_sent = PACKET.ljust(size, b"\x55")[:size]
    air.write_text(f"ok -90 5 {packet_sent.hex()}\nbad -125 -11 {packet_sent.hex()}\n")
    gateway = program(f"{name}_gateway", "-DINKLING_LORA_IMPLICIT=1")
    with mock_arduino.run(gateway, air=str(air), log=str(tmp_path / "log")) as board:
        for crc_ok in (True, False):
            packet = receive_packet(board)
            assert (packet.crc_ok, packet.payload) == (crc_ok, packet_sent)
    assert f"implicit {size}" in log(tmp_path / "log")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["heltec_wifi_lora_32_V3", "ttgo-lora32", "nucleo_wl55jc"])
def test_gateway_sets_up_a_radio_anew_that_went_deaf(program: Callable[..., Path], tmp_path: Path, name: str) -> None:
    """It left its receive mode without an interrupt; without a check, the second packet would never come."""
    air = tmp_path / "air"
    air.write_text(f"ok -90 5 {PACKET.hex()}\nok -90 5 {PACKET[::-1].hex()}\n")
    with mock_arduino.run(program(f"{name}_gateway"), air=str(air), deaf="1", log=str(tmp_path / "log")) as board:
        assert receive_packet(board).payload == PACKET
        assert receive_packet(board).payload == PACKET[::-1]
    lines = log(tmp_path / "log")
    assert sum(line.startswith("begin ") for line in lines[lines.index("deaf") :]) == 1


@pytest.mark.slow
@pytest.mark.parametrize("name", ["heltec_wifi_lora_32_V3", "ttgo-lora32", "nucleo_wl55jc"])
def test_gateway_finds_a_packet_whose_interrupt_was_missed(
    program: Callable[..., Path], tmp_path: Path, name: str
) -> None:
    """No further edge comes before the packet is read."""
    air = tmp_path / "air"
    air.write_text(f"ok -90 5 {PACKET.hex()}\nok -90 5 {PACKET[::-1].hex()}\n")
    with mock_arduino.run(program(f"{name}_gateway"), air=str(air), lost_edges="1") as board:
        assert receive_packet(board).payload == PACKET
        assert receive_packet(board).payload == PACKET[::-1]


@pytest.mark.slow
def test_gateway_takes_no_packet_from_a_radio_that_stopped_responding(
    program: Callable[..., Path], tmp_path: Path
) -> None:
    """While it does not respond, its pin makes edges, which were read through a null pointer or as a packet."""
    air = tmp_path / "air"
    air.write_text(f"ok -90 5 {PACKET.hex()}\nok -90 5 {PACKET[::-1].hex()}\n")
    gateway = program("heltec_wifi_lora_32_V3_gateway")
    with mock_arduino.run(gateway, air=str(air), outage="1", log=str(tmp_path / "log")) as board:
        assert receive_packet(board).payload == PACKET
        assert board.error() == (ErrorCode.RADIO, 0, 0)
        assert receive_packet(board).payload == PACKET[::-1]
    lines = log(tmp_path / "log")
    failed = len(lines) - lines[::-1].index("edge, nobody listens")
    assert "edge" not in lines[lines.index("edge, nobody listens") : failed]
