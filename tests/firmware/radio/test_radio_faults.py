"""Nodes and gateways whose radio is missing, has other settings, or fails for a while."""

import socket
import subprocess
import time
from contextlib import ExitStack, suppress
from threading import Thread

import pytest

from channel_sim import LoRa
from channel_sim.live.radio_hub import RadioHub
from firmware.tools import emulator
from host.board.board import Board
from host.board.errors import BoardError
from host.board.port import Port
from host.receive.events import ControlFrame
from host.receive.stream import StreamReceiver
from tests.firmware.radio.native_radio import GATEWAY, Golden, load_golden, reserved_port, running_node, unlimited
from tests.support.firmware import REPLY_SECONDS, program
from wire.control import REPLY_BIT, Control, ErrorCode, ErrorReply, Opcode, Packet, command, parse_control
from wire.frame import SYNC

pytestmark = pytest.mark.emulated

GIVE_UP_S = 60.0  # the kernel alone would try for two minutes


@pytest.fixture(scope="module")
def golden() -> Golden:
    return load_golden()


def test_node_sends_again_when_its_radio_is_back(golden: Golden) -> None:
    with reserved_port() as port, ExitStack() as first:
        hub = first.enter_context(RadioHub(LoRa(10.0), port=port, fast=True))
        with running_node(hub, 3, unlimited().node, golden.bundle) as board:
            board.run_by_radio(golden.images[0])
            first.close()
            for _ in range(2):
                with pytest.raises(BoardError, match="RADIO"):
                    board.run_by_radio(golden.images[0])
            with RadioHub(LoRa(10.0), port=port, fast=True) as second:
                board.run_by_radio(golden.images[0])
                assert second.devices[3].sent == 1


def test_node_and_gateway_report_a_hub_with_other_settings(golden: Golden) -> None:
    with RadioHub(LoRa(0.0, sf=9), fast=True) as hub:
        command = [str(program("native_gateway")), "--port", "stdio", "--radio", f"tcp:127.0.0.1:{hub.port}"]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=True, timeout=REPLY_SECONDS)
        assert b"the simulated air uses SF9, 4/5, 125 kHz, explicit header, the radio SF7" in done.stderr
        with running_node(hub, 3, unlimited().node, golden.bundle) as board, pytest.raises(BoardError, match="RADIO"):
            board.run_by_radio(golden.images[0])


@pytest.mark.slow
def test_gateway_retries_its_radio(golden: Golden) -> None:
    """The hub starts late and restarts once; the gateway reports each time that it has no radio."""
    errors = []
    with reserved_port() as port:
        radio = ("--radio", f"tcp:127.0.0.1:{port}")
        with emulator.native(program("native_gateway"), *radio) as url, Port(url) as line:
            receiver = StreamReceiver([golden.bundle])
            for _ in range(2):
                errors.append(next_control(line, receiver, Opcode.ERROR, REPLY_SECONDS))
                with (
                    RadioHub(LoRa(20.0, sf=7), fast=True, port=port) as hub,
                    running_node(hub, 3, unlimited().node, golden.bundle) as board,
                ):
                    deadline = time.monotonic() + REPLY_SECONDS
                    while not (packet := next_control(line, receiver, Opcode.PACKET | REPLY_BIT, 1.0)):
                        assert time.monotonic() < deadline, "no packet"
                        board.run_by_radio(golden.images[0])
                    assert Packet.unpack(packet.data).crc_ok
    assert all(error and ErrorReply.unpack(error.data) == ErrorReply(ErrorCode.RADIO, 0) for error in errors)


def next_control(line: Port, receiver: StreamReceiver, opcode: int, seconds: float) -> Control | None:
    """Return the next control frame with this opcode, or None if none comes in time."""
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        for event in receiver.feed(line.read(left)):
            if isinstance(event, ControlFrame) and event.control.opcode == opcode:
                return event.control
    return None


def test_gateway_without_a_radio_reports_it_and_answers_commands(golden: Golden) -> None:
    """The gateway sends an unsolicited error; only commands for its radio fail."""
    done = subprocess.run(
        [program("native_gateway"), "--port", "stdio", "--radio", "tcp:127.0.0.1:1"],
        input=command(Opcode.INFO, 7), capture_output=True, check=True, timeout=REPLY_SECONDS,
    )  # fmt: skip
    error, info = (parse_control(part) for part in done.stdout.split(SYNC)[1:])
    assert error and (error.opcode, error.request) == (Opcode.ERROR, 0)
    assert ErrorReply.unpack(error.data) == ErrorReply(ErrorCode.RADIO, 0)
    assert info and (info.opcode, info.request) == (Opcode.INFO | REPLY_BIT, 7)


@pytest.mark.parametrize("environment", ["native", "native_gateway"])
def test_run_by_radio_is_refused_by_boards_that_cannot_send(golden: Golden, environment: str) -> None:
    with RadioHub(LoRa(10.0), fast=True) as hub:
        radio = ["--radio", f"tcp:localhost:{hub.port}", "--device", str(GATEWAY)]
        options = radio if environment == "native_gateway" else []
        with (
            emulator.native(program(environment), *options) as url,
            Board.open(url, golden.bundle, timeout=REPLY_SECONDS) as board,
        ):
            assert board.info().target == environment
            with pytest.raises(BoardError, match="RADIO"):
                board.run_by_radio(golden.images[0])
            frame, _ = board.run(golden.images[0])
            assert frame and frame.crc_ok and frame.device == (GATEWAY if options else 1)


@pytest.mark.parametrize(
    ("environment", "arguments", "message"),
    [
        ("native_radio", ["--radio", "localhost:4500"], "inkling: --radio is tcp:HOST:PORT, not localhost:4500"),
        ("native_radio", ["--radio", "tcp:4500"], "inkling: --radio is tcp:HOST:PORT, not tcp:4500"),
        ("native", ["--radio", "tcp:localhost:1"], "inkling: this build has no radio for --radio tcp:localhost:1"),
        ("native_radio", ["--device", "255"], "usage: "),
        ("native_radio", ["--device"], "usage: "),
        ("native_radio", ["--colour", "red"], "usage: "),
    ],
)
def test_native_process_reports_wrong_radio_arguments_in_one_line(
    environment: str, arguments: list[str], message: str
) -> None:
    command = [str(program(environment)), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=REPLY_SECONDS)
    assert done.returncode in (1, 2) and done.stderr.startswith(message) and done.stderr.count("\n") == 1


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["talks", "does not accept"])
def test_radio_gives_up_a_hub_that_never_answers(fault: str) -> None:
    """A hub that sends packets but no answer, and one that does not even accept the connection."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server, ExitStack() as waiting:
        port = server.getsockname()[1]
        if fault == "talks":
            Thread(target=talk, args=(server,), daemon=True).start()
        else:  # a full queue: the kernel lets further connections wait
            for connection in (waiting.enter_context(socket.socket()) for _ in range(3)):
                connection.setblocking(False)
                connection.connect_ex(("127.0.0.1", port))
        gateway = [str(program("native_gateway")), "--port", "stdio", "--radio", f"tcp:127.0.0.1:{port}"]
        done = subprocess.run(gateway, stdin=subprocess.DEVNULL, capture_output=True, check=True, timeout=GIVE_UP_S)
    error = parse_control(done.stdout.removeprefix(SYNC))
    assert error and ErrorReply.unpack(error.data) == ErrorReply(ErrorCode.RADIO, 0)
    assert done.stderr.startswith(f"inkling: radio at 127.0.0.1:{port}: ".encode())


def talk(server: socket.socket) -> None:
    """Send a packet every 0.2 s and read nothing, until the gateway gives up."""
    peer, _ = server.accept()
    with peer, suppress(OSError):
        while True:
            peer.sendall(b"R\1\0\0\0\0\1\0")
            time.sleep(0.2)
