"""Two nodes and a gateway as processes, joined by the simulated air, and `host receive` behind it."""

import contextlib
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from channel_sim import LoRa
from channel_sim.live.radio_hub import RadioHub
from firmware.tools import core_dir, emulator
from host.board.board import Board
from host.board.errors import BoardError
from host.board.port import Port
from host.receive.events import ControlFrame
from host.receive.stream import StreamReceiver
from tests.firmware.radio.radio_board import (
    GATEWAY,
    NO_LIMIT,
    PATIENCE_S,
    SANITIZED,
    Golden,
    Listener,
    golden,
    listener,
    node,
    program,
)
from wire.control import (
    LONGEST_PREFIX,
    REPLY_BIT,
    Control,
    ErrorCode,
    ErrorReply,
    Opcode,
    Packet,
    command,
    parse_control,
)
from wire.frame import SYNC

DEVICES = (3, 4)


@pytest.fixture(scope="module")
def known() -> Golden:
    return golden()


@pytest.fixture(scope="module")
def sanitized() -> tuple[Path, Path]:
    """Node and gateway under the compiler's sanitizers, without limits to what they send."""
    flags = f"{SANITIZED} {NO_LIMIT}"
    return program("native_radio", "sanitized", flags), program("native_gateway", "sanitized", flags)


@pytest.fixture(scope="module")
def implicit() -> tuple[Path, Path]:
    """The same without the radio's own header, for chunk 1 alone."""
    flags = f"{SANITIZED} {NO_LIMIT} -D INKLING_LORA_IMPLICIT=1 -D INKLING_LORA_CHUNK=1"
    return program("native_radio", "implicit", flags), program("native_gateway", "implicit", flags)


def unlimited() -> Path:
    """A node under the sanitizers that may send at once."""
    return program("native_radio", "sanitized", f"{SANITIZED} {NO_LIMIT}")


class Link:
    """The nodes of DEVICES and the host behind the gateway."""

    def __init__(self, air: RadioHub, nodes: list[Board], host: Listener) -> None:
        self.air, self.nodes, self.host = air, nodes, host


@pytest.fixture
def link(request: pytest.FixtureRequest, known: Golden) -> Iterator[Link]:
    """Of a channel and the name of a fixture with two programs."""
    channel, programs = request.param
    of_node, of_gateway = request.getfixturevalue(programs)
    with ExitStack() as stack:
        air = stack.enter_context(RadioHub(channel, seed=1, fast=True))
        host = stack.enter_context(listener(air, of_gateway, known.bundle))
        nodes = [stack.enter_context(node(air, device, of_node, known.bundle)) for device in DEVICES]
        yield Link(air, nodes, host)


def by_device(readings: list[dict], device: int) -> list[dict]:
    return [reading for reading in readings if reading["device"] == device]


@pytest.mark.parametrize("link", [(LoRa(10.0), "sanitized")], indirect=True)
def test_over_a_good_link_every_picture_arrives_byte_for_byte(link: Link, known: Golden) -> None:
    count = len(known.images)
    for n in range(count):
        for board in link.nodes:
            cost, sent = board.run_by_radio(known.images[n])
            assert sent.chunk == 0 and 0 < cost.encode_cycles <= cost.total_cycles
            assert sent.air_micros == round(1e6 * LoRa(10.0).air_time_s(known.bundle.chunk_layout(0).size))
    readings = link.host.end()
    assert len(readings) == 2 * count
    for device in DEVICES:
        mine = by_device(readings, device)
        assert [reading["payload"] for reading in mine] == known.payloads[:count]
        assert [reading["index"] for reading in mine] == known.indices[:count].tolist()
        assert [reading["sequence"] for reading in mine] == [n % 32 for n in range(count)]
        assert all(reading["crc_ok"] and reading["lost_total"] == 0 for reading in mine)
        assert all(abs(reading["snr_db"] - 10) < 5 and -110 < reading["rssi_dbm"] < -104 for reading in mine)
    assert f"host: {2 * count} frames, 0 lost" in link.host.said
    assert f"; {2 * count} packets by radio, 0 lost on this line, 0 not ours\n" in link.host.said


@pytest.mark.parametrize("link", [(LoRa(-10.5), "sanitized")], indirect=True)
def test_over_a_bad_link_corrupt_packets_are_classified_and_lost_ones_counted(link: Link, known: Golden) -> None:
    count = 70
    for n in range(count):
        for board in link.nodes:
            board.run_by_radio(known.images[n % len(known.images)], chunk=0)
    readings, counts = link.host.end(), link.air.devices
    arrived = sum(counts[device].clean + counts[device].damaged for device in DEVICES)
    strangers = int(re.search(r"(\d+) not ours", link.host.said)[1])
    assert len(readings) == arrived - strangers and strangers <= 3
    for device in DEVICES:
        mine = by_device(readings, device)
        assert counts[device].lost >= 1 and counts[device].damaged > 0.8 * count
        assert mine[0]["sequence"] == 0 and mine[-1]["sequence"] == (count - 1) % 32
        assert mine[-1]["lost_total"] == count - len(mine) >= counts[device].lost
        assert sum(not reading["crc_ok"] for reading in mine) > 0.8 * len(mine)
    right = [reading["index"] == known.indices[reading["image_number"] % len(known.images)] for reading in readings]
    assert sum(right) >= 0.9 * len(right)
    assert 0.01 < np.mean([reading["ber"] for reading in readings]) < 0.1, "about 0.03"


@pytest.mark.parametrize("link", [(LoRa(-12.0, explicit_header=False), "implicit")], indirect=True)
def test_without_the_radios_header_no_packet_is_lost_by_it(link: Link, known: Golden) -> None:
    count = 40
    for n in range(count):
        for board in link.nodes:
            _, sent = board.run_by_radio(known.images[n % len(known.images)])
            assert sent.chunk == 1, "the only one"
    with pytest.raises(BoardError, match="BAD_ARGUMENT"):
        link.nodes[0].run_by_radio(known.images[0], chunk=0)
    readings, counts = link.host.end(), link.air.devices
    for device in DEVICES:
        assert counts[device].lost == 0 and counts[device].damaged > 0.9 * count
        assert len(by_device(readings, device)) > 0.8 * count, "a third of explicit headers would be damaged"
    assert {reading["chunk"] for reading in readings} == {1}


def test_a_node_keeps_to_its_duty_cycle_and_falls_back_to_shorter_prefixes(known: Golden) -> None:
    """As built by default, 1 %: nothing at the start, then 9 ms a second."""
    image, started = known.images[0], time.monotonic()
    with RadioHub(LoRa(10.0), fast=True) as air, node(air, 3, program("native_radio"), known.bundle) as board:
        for chunk in (LONGEST_PREFIX, 0):
            with pytest.raises(BoardError, match="AIR_TIME"):
                board.run_by_radio(image, chunk)
        frame, _ = board.run(image)
        assert frame and frame.crc_ok, "the serial line has no duty cycle"
        sent = []
        for chunk in (LONGEST_PREFIX, 0):
            while len(sent) < 2 - (chunk == LONGEST_PREFIX):
                with contextlib.suppress(BoardError):
                    sent.append(board.run_by_radio(image, chunk)[1])
                time.sleep(0.5)
            assert sum(report.air_micros for report in sent) <= 9_000 * (time.monotonic() - started)
        counts = air.devices[3]
    assert [report.chunk for report in sent] == [1, 0], "the shorter one is affordable sooner"
    assert counts.sent == 2 and counts.air_s == pytest.approx(sum(report.air_micros for report in sent) / 1e6)


def test_the_command_waits_for_air_time(known: Golden, tmp_path: Path) -> None:
    Image.fromarray(known.images[0].squeeze()).save(tmp_path / "one.png")
    with (
        RadioHub(LoRa(10.0), fast=True) as air,
        emulator.native(program("native_radio"), "--radio", f"tcp:localhost:{air.port}") as url,
    ):
        said = _host("run", tmp_path / "one.png", "--port", url, "--bundle", known.bundle.path, "--by-radio")
    assert "by radio: chunk 1, 77.1 ms of air time" in said


@pytest.mark.parametrize("chunk", [3, 254])
def test_a_chunk_that_is_not_there_is_refused(known: Golden, chunk: int) -> None:
    with RadioHub(LoRa(10.0), fast=True) as air, node(air, 3, unlimited(), known.bundle) as board:
        with pytest.raises(BoardError, match="BAD_ARGUMENT"):
            board.run_by_radio(known.images[0], chunk)
        assert not air.devices


def test_a_node_whose_radio_was_away_sends_when_it_is_back(known: Golden) -> None:
    with RadioHub(LoRa(10.0), fast=True) as air:
        port = air.port
        with node(air, 3, unlimited(), known.bundle) as board:
            board.run_by_radio(known.images[0])
            air.stop()
            air.__exit__(None, None, None)
            for _ in range(2):
                with pytest.raises(BoardError, match="RADIO"):
                    board.run_by_radio(known.images[0])
            with RadioHub(LoRa(10.0), port=port, fast=True) as again:
                board.run_by_radio(known.images[0])
                assert again.devices[3].sent == 1


def test_a_radio_that_is_set_to_something_else_is_told_so(known: Golden) -> None:
    with RadioHub(LoRa(0.0, sf=9), fast=True) as air:
        command = [program("native_gateway"), "--port", "stdio", "--radio", f"tcp:127.0.0.1:{air.port}"]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=True, timeout=20)
        assert b"simulated for SF9, 4/5, 125 kHz, explicit header, the radio is set to SF7" in done.stderr
        with node(air, 3, unlimited(), known.bundle) as board, pytest.raises(BoardError, match="RADIO"):
            board.run_by_radio(known.images[0])


def test_a_gateway_tries_its_radio_again(known: Golden) -> None:
    """Before there is an air, and after that air has gone and come back; the host is told each time."""
    port, errors = emulator.free_port(), []
    radio = ("--radio", f"tcp:127.0.0.1:{port}")
    with emulator.native(program("native_gateway"), *radio) as url, Port(url) as line:
        receiver = StreamReceiver([known.bundle])
        for _ in range(2):
            deadline = time.monotonic() + PATIENCE_S
            errors.append(heard(line, receiver, Opcode.ERROR, deadline))
            with (
                RadioHub(LoRa(20.0, sf=7), fast=True, port=port) as air,
                node(air, 3, unlimited(), known.bundle) as board,
            ):
                while not (packet := heard(line, receiver, Opcode.PACKET | REPLY_BIT, time.monotonic() + 1)):
                    assert time.monotonic() < deadline, "no packet"
                    board.run_by_radio(known.images[0])
                assert Packet.unpack(packet.data).crc_ok
    assert all(error and ErrorReply.unpack(error.data) == ErrorReply(ErrorCode.RADIO, 0) for error in errors)


def heard(line: Port, receiver: StreamReceiver, opcode: int, deadline: float) -> Control | None:
    """The next control frame of that opcode."""
    while (left := deadline - time.monotonic()) > 0:
        for event in receiver.feed(line.read(left)):
            if isinstance(event, ControlFrame) and event.control.opcode == opcode:
                return event.control
    return None


def test_a_gateway_without_a_radio_says_so_and_answers_all_the_same(known: Golden) -> None:
    """Of a radio that does not answer, the host is told unasked; commands work, but for those by radio."""
    commands = command(Opcode.INFO, 7)
    done = subprocess.run(
        [program("native_gateway"), "--port", "stdio", "--radio", "tcp:127.0.0.1:1"],
        input=commands, capture_output=True, check=True, timeout=20,
    )  # fmt: skip
    told, info = (parse_control(part) for part in done.stdout.split(SYNC)[1:])
    assert told and (told.opcode, told.request) == (Opcode.ERROR, 0)
    assert ErrorReply.unpack(told.data) == ErrorReply(ErrorCode.RADIO, 0)
    assert info and (info.opcode, info.request) == (Opcode.INFO | 0x80, 7)


@pytest.mark.parametrize("environment", ["native", "native_gateway"])
def test_who_has_no_radio_to_send_with_refuses(known: Golden, environment: str) -> None:
    with (
        RadioHub(LoRa(10.0), fast=True) as air,
        emulator.native(program(environment), *_radio(environment, air)) as url,
        Board.open(url, known.bundle) as board,
    ):
        assert board.info().target == environment
        with pytest.raises(BoardError, match="RADIO"):
            board.run_by_radio(known.images[0])
        frame, _ = board.run(known.images[0])
        assert frame and frame.crc_ok and frame.device == (GATEWAY if environment == "native_gateway" else 1)


def _radio(environment: str, air: RadioHub) -> list[str]:
    if environment == "native":
        return []
    return ["--radio", f"tcp:localhost:{air.port}", "--device", str(GATEWAY)]


@pytest.mark.parametrize(
    ("environment", "arguments", "said"),
    [
        ("native_radio", ["--radio", "localhost:4500"], "inkling: --radio is tcp:HOST:PORT, not localhost:4500"),
        ("native_radio", ["--radio", "tcp:4500"], "inkling: --radio is tcp:HOST:PORT, not tcp:4500"),
        ("native", ["--radio", "tcp:localhost:1"], "inkling: this build has no radio for --radio tcp:localhost:1"),
        ("native_radio", ["--device", "255"], "usage: "),
        ("native_radio", ["--device"], "usage: "),
        ("native_radio", ["--colour", "red"], "usage: "),
    ],
)
def test_mistakes_at_the_start_are_one_line(environment: str, arguments: list[str], said: str) -> None:
    done = subprocess.run([program(environment), *arguments], capture_output=True, text=True, check=False, timeout=20)
    assert done.returncode in (1, 2) and done.stderr.startswith(said) and done.stderr.count("\n") == 1


def test_the_command_shows_air_time_and_what_is_left(known: Golden, tmp_path: Path) -> None:
    Image.fromarray(known.images[0].squeeze()).save(tmp_path / "one.png")
    with (
        RadioHub(LoRa(10.0), fast=True) as air,
        emulator.native(unlimited(), "--radio", f"tcp:localhost:{air.port}") as url,
    ):
        command = ["run", tmp_path / "one.png", "--port", url, "--bundle", known.bundle.path, "--by-radio"]
        said = [_host(*command, "--timeout", PATIENCE_S, *more) for more in ([], ["--chunk", 1], ["--json"])]
        assert air.devices[1].sent == 3
    assert re.search(r"one\.png  by radio: chunk 0, 112\.9 ms of air time, \d+\.\d ms left  \d+ cycles", said[0])
    assert "chunk 1, 77.1 ms of air time" in said[1]
    told = json.loads(said[2])
    assert (told["chunk"], told["air_micros"]) == (0, 112896) and 0 < told["encode_cycles"] <= told["total_cycles"]


def _host(*arguments: object) -> str:
    command = [sys.executable, "-m", "host", *map(str, arguments)]
    return subprocess.run(command, cwd=core_dir.ROOT, capture_output=True, text=True, check=True).stdout
