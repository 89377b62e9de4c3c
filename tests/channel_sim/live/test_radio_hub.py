"""Tests of the radio hub, with simulated stations."""

import signal
import socket
import struct
import subprocess
import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest

from channel_sim import LoRa
from channel_sim.live.radio_hub import HELLO, RECEIVED, RadioHub
from tests.support import ROOT

PACKET = bytes(range(58))
PATIENCE_S = 60.0

Reception = tuple[bool, float, float, bytes]


class Station:
    """A simulated radio, connected to the hub."""

    def __init__(self, air: RadioHub | SimpleNamespace, device: int, **settings: int) -> None:
        self.line = socket.create_connection(("127.0.0.1", air.port), timeout=PATIENCE_S)
        usual = {"frequency": 868_100_000, "bandwidth": 125_000, "sf": 7, "cr": 5, "preamble": 8}
        usual |= {"implicit": 0, "sync": 0x12}
        self._hello = b"H" + HELLO.pack(device, *(usual | settings).values())
        self._listens, self._received = False, list[Reception]()
        self.line.sendall(self._hello)
        self.answer = self._read(1)
        if self.answer == b"N":
            self.refusal = self._read(self._read(1)[0]).decode()

    def listen(self) -> "Station":
        """Start listening. Returns once the hub has read it."""
        self._listens = True
        self._synchronize()
        return self

    def sleep(self) -> None:
        """Stop listening. Returns once the hub has read it."""
        self._listens = False
        self._synchronize()

    def send(self, packet: bytes = PACKET) -> float:
        """Send a packet and return the seconds until the hub reports it as sent."""
        start = time.monotonic()
        self.line.sendall(b"S" + bytes((len(packet),)) + packet)
        assert self._read(1) == b"D"
        return time.monotonic() - start

    def receive(self) -> Reception | None:
        """Return CRC check, RSSI, SNR and payload of the next packet, or None if the hub has sent none."""
        if not self._received:
            self._synchronize()
        return self._received.pop(0) if self._received else None

    def wait(self) -> Reception:
        """Wait for a packet."""
        return self._packet(self._read(1))

    def _synchronize(self) -> None:
        """Send the settings again: the hub answers in order, so all packets until then have been received."""
        self.line.sendall(self._hello + (b"L" if self._listens else b"Z"))
        while (letter := self._read(1)) != b"Y":
            self._received.append(self._packet(letter))

    def _packet(self, letter: bytes) -> Reception:
        assert letter == b"R"
        _, crc_ok, rssi, snr, size = RECEIVED.unpack(letter + self._read(RECEIVED.size - 1))
        return bool(crc_ok), rssi / 4, snr / 4, self._read(size)

    def _read(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            data += self.line.recv(count - len(data)) or pytest.fail("the hub has disconnected")
        return data


def test_hub_delivers_to_listening_stations_only() -> None:
    with RadioHub(LoRa(10.0), fast=True) as air:
        sender, first, second, deaf = (Station(air, n) for n in range(1, 5))
        first.listen(), second.listen(), sender.listen()
        sender.send()
        for station in (first, second):
            crc_ok, rssi, snr, payload = station.receive() or pytest.fail("no packet received")
            assert (crc_ok, payload) == (True, PACKET)
            assert abs(snr - 10) < 4 and rssi == pytest.approx(-117 + 10, abs=1.5)
        assert deaf.receive() is None and sender.receive() is None, "a radio that sends hears nothing"
        first.sleep()
        sender.send()
        assert first.receive() is None and second.receive() is not None
        counts = air.devices[1]
        assert (counts.sent, counts.clean, counts.damaged, counts.lost) == (2, 3, 0, 0)


def test_hub_separates_frequencies_and_sync_words() -> None:
    with RadioHub(LoRa(10.0), fast=True) as air:
        sender = Station(air, 1)
        others = [Station(air, 2, frequency=868_300_000).listen(), Station(air, 3, sync=0x34).listen()]
        sender.send()
        assert [station.receive() for station in others] == [None, None]


@pytest.mark.parametrize(
    ("settings", "radio"),
    [
        ({"sf": 9}, "the radio SF9, 4/5, 125 kHz, explicit header"),
        ({"cr": 8}, "the radio SF7, 4/8, 125 kHz, explicit header"),
        ({"bandwidth": 250_000}, "the radio SF7, 4/5, 250 kHz, explicit header"),
        ({"implicit": 58}, "the radio SF7, 4/5, 125 kHz, implicit header"),
    ],
)
def test_hub_rejects_other_settings(settings: dict, radio: str) -> None:
    with RadioHub(LoRa(10.0), fast=True) as air:
        station = Station(air, 1, **settings)
        assert station.answer == b"N"
        assert station.refusal == f"the simulated air uses SF7, 4/5, 125 kHz, explicit header, {radio}"
        station.line.sendall(b"S" + bytes((1, 0)))
        assert station.line.recv(1) == b"", "disconnected"


def test_hub_packets_take_their_air_time() -> None:
    with RadioHub(LoRa(10.0)) as air:
        station = Station(air, 1)
        assert station.send() >= LoRa(10.0).air_time_s(len(PACKET))
        longer = Station(air, 2, preamble=200)
        assert longer.send(b"x") >= LoRa(10.0, preamble_symbols=200).air_time_s(1)
        assert air.devices[2].air_s == LoRa(10.0, preamble_symbols=200).air_time_s(1)


def noisy(seed: int, other: bool = False) -> list:
    """Return the receptions of 40 packets of device 1 at -10 dB; `other`: another device sends in between."""
    with RadioHub(LoRa(-10.0), seed=seed, snr_db={2: 10.0}, fast=True) as air:
        sender, between = Station(air, 1), Station(air, 2)
        listener = Station(air, 3).listen()
        heard = []
        for _ in range(40):
            sender.send()
            heard.append(listener.receive())
            if other:
                between.send()
                assert (listener.receive() or [False])[0], "the other device has a good SNR"
        counts = air.devices[1]
        assert counts.lost == heard.count(None)
        assert counts.clean + counts.damaged + counts.lost == 40
        assert counts.damaged == sum(reception is not None and not reception[0] for reception in heard)
        return heard


def test_hub_noise_depends_on_seed_only() -> None:
    heard = noisy(seed=1)
    assert heard == noisy(seed=1, other=True)
    assert heard != noisy(seed=2)
    damaged = [reception for reception in heard if reception and not reception[0]]
    assert len(damaged) > 30 and all(reception[3] != PACKET for reception in damaged)
    assert np.mean([reception[2] for reception in heard if reception]) == pytest.approx(-10, abs=1)


def test_hub_implicit_header_has_one_length_and_no_losses() -> None:
    with RadioHub(LoRa(-14.0, explicit_header=False), fast=True) as air:
        sender, other_length = Station(air, 1, implicit=58), Station(air, 2, implicit=34).listen()
        listener = Station(air, 3, implicit=58).listen()
        for _ in range(20):
            sender.send()
            assert listener.receive() is not None
        assert other_length.receive() is None
        sender.line.sendall(b"S" + bytes((34,)) + bytes(34))
        assert sender.line.recv(1) == b"", "disconnected"


@pytest.mark.parametrize("sent", [b"GET / HTTP/1.1\r\n", b"S\0", b"S\1x"])
def test_hub_disconnects_invalid_station_only(sent: bytes) -> None:
    with RadioHub(LoRa(10.0), fast=True) as air:
        sender, listener = Station(air, 1), Station(air, 2).listen()
        with socket.create_connection(("127.0.0.1", air.port), timeout=PATIENCE_S) as stranger:
            stranger.sendall(sent)
            assert stranger.recv(1) == b""
        sender.send()
        assert listener.receive() is not None


def test_hub_stations_disconnect_at_any_time() -> None:
    with RadioHub(LoRa(10.0)) as air:
        sender, listener = Station(air, 1), Station(air, 2).listen()
        leaving = Station(air, 3).listen()
        sender.line.sendall(b"S" + bytes((58,)) + PACKET)
        leaving.line.close()
        sender.line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sender.line.close()  # with a reset, while its packet is on the air
        assert listener.wait()[0]


def run(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "channel_sim", "air", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)


def test_air_command_prints_port_and_counts() -> None:
    process = run("lora:snr=-30", "--snr", "1=10", "--fast")
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith("listening: --radio tcp:127.0.0.1:")

    air = SimpleNamespace(port=int(line.rpartition(":")[2]))
    good, bad, listener = Station(air, 1), Station(air, 2), Station(air, 3).listen()
    good.send(), bad.send()
    assert listener.receive() is not None
    good.line.sendall(b"S" + bytes((8,)) + PACKET[:8])
    assert listener.listen().receive() is not None
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, err) == (0, "")
    assert out.splitlines() == [
        "device 1: 2 packets sent (1 answers), 0.149 s of air time; received: 2 clean, 0 damaged, 0 lost",
        "device 2: 1 packets sent, 0.113 s of air time; received: 0 clean, 0 damaged, 1 lost",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["bsc:ber=0.1"], "inkling: radios need a single lora channel, got 'bsc:ber=0.1'"),
        (["lora:snr=-9+frame-loss:p=0.1"], "inkling: radios need a single lora channel"),
        (["lora:snr=low"], "inkling: lora: snr is a number, not 'low'"),
        (["lora:snr=inf"], "inkling: the SNR must be -200 to 200 dB, got inf\n"),
        (["lora:snr=9000"], "inkling: the SNR must be -200 to 200 dB, got 9000\n"),
        (["lora:snr=-9", "--seed", "-1"], "python -m channel_sim air: argument --seed: must be an integer of at "),
        (["lora:snr=-9", "--port", "70000"], "inkling: cannot listen on port 70000: "),
        (["lora:snr=-9", "--snr", "x=3"], "python -m channel_sim air: argument --snr: DEVICE=DB is a device 0..254 "),
        (["lora:snr=-9", "--snr", "3=nan"], "python -m channel_sim air: argument --snr: DEVICE=DB is a device "),
    ],
)
def test_command_mistakes_are_one_line(arguments: list[str], message: str) -> None:
    out, err = run(*arguments).communicate(timeout=PATIENCE_S)
    assert out == "" and err.startswith(message) and err.count("\n") == 1


def test_air_command_port_in_use_is_one_line() -> None:
    with RadioHub(LoRa(0.0)) as air:
        process = run("lora:snr=-9", "--port", str(air.port))
        _, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 1
    assert err == f"inkling: cannot listen on port {air.port}: Address already in use\n"
