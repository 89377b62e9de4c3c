"""Secured packets on the simulated air: nodes with keys, a gateway, and the packets that its host gets."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from channel_sim import LoRa
from channel_sim.live.radio_hub import RadioHub
from firmware.tools import emulator
from tests.firmware.radio.native_radio import GATEWAY, Programs, unlimited
from tests.firmware.secure.keyed_board import KEY, OTHER_KEY, KeyedBoard
from tests.support.firmware import RunningBoard
from wire.control import ANSWER_SENT, REPLY_BIT, ErrorCode, Mode, Opcode, Packet, RadioReport, RunCost, run_data

pytestmark = [pytest.mark.emulated, pytest.mark.slow]

SNR_DB = 10.0  # no bit errors
NODES = {3: KEY, 4: OTHER_KEY}


@pytest.fixture(scope="module")
def programs() -> Programs:
    return unlimited()


@pytest.fixture(scope="module")
def implicit() -> Programs:
    """Programs without the radio's own header, for chunk 1 only."""
    return unlimited("-D INKLING_LORA_IMPLICIT=1 -D INKLING_LORA_CHUNK=1")


class Air:
    """Nodes with keys, and a gateway."""

    def __init__(self, nodes: dict[int, KeyedBoard], gateway: RunningBoard) -> None:
        self.nodes, self.gateway = nodes, gateway
        self.packets = 0

    def send(self, device: int, n: int, chunk: int, *, by_mode: bool = False) -> bytes:
        """Let a node send golden image n by radio, and return the packet that the gateway's host gets."""
        node = self.nodes[device]
        node.send(Opcode.RUN, run_data(chunk, node.images[n], by_radio=True, by_mode=by_mode))
        data = node.reply(Opcode.RUN).data
        report = RadioReport.unpack(data[RunCost.FORMAT.size :])
        packet = self.receive()
        assert report.chunk == (ANSWER_SENT if by_mode else chunk)
        return packet

    def receive(self) -> bytes:
        """Return the next packet of the gateway, none of which may be lost on its line."""
        reply = self.gateway.reply()
        assert (reply.opcode, reply.request) == (Opcode.PACKET | REPLY_BIT, self.packets % 256)
        self.packets += 1
        return Packet.unpack(reply.data).payload


def running(programs: Programs, *, explicit_header: bool = True) -> Iterator[Air]:
    with ExitStack() as stack:
        hub = stack.enter_context(RadioHub(LoRa(SNR_DB, explicit_header=explicit_header), fast=True))
        place = f"tcp:127.0.0.1:{hub.port}"

        def board(program: object, device: int) -> RunningBoard:
            url = emulator.native(str(program), "--radio", place, "--device", str(device))
            return stack.enter_context(RunningBoard(stack.enter_context(url)))

        gateway = board(programs.gateway, GATEWAY)
        nodes = {device: KeyedBoard(board(programs.node, device), key, device) for device, key in NODES.items()}
        for device, key in NODES.items():
            nodes[device].set_key(key)
        yield Air(nodes, gateway)


@pytest.fixture
def air(programs: Programs) -> Iterator[Air]:
    yield from running(programs)


@pytest.fixture
def implicit_air(implicit: Programs) -> Iterator[Air]:
    yield from running(implicit, explicit_header=False)


def test_host_gets_the_packets_that_wire_secure_predicts(air: Air) -> None:
    """Features of every chunk, then answers, of two nodes in turn."""
    chunks = len(air.gateway.bundle.chunks)
    for n in range(2 * chunks):
        for device, node in air.nodes.items():
            chunk = n % chunks
            assert air.send(device, n, chunk) == node.feature_frame(n, chunk, sync=False)
            node.counter += 1
    for device, node in air.nodes.items():
        node.mode(Mode.ANSWER)
        assert air.send(device, 1, 0, by_mode=True) == node.answer_frame(1, sync=False)
        node.counter += 1
        assert node.key_state().counter == node.counter


def test_plain_and_repeated_run_by_radio_send_nothing(air: Air) -> None:
    node = air.nodes[3]
    data = run_data(0, node.images[0], by_radio=True)
    node.send(Opcode.RUN, data, sealed=False)
    assert node.refused() == (Opcode.RUN, node.counter)
    sent = node.send(Opcode.RUN, data)
    node.reply(Opcode.RUN)
    assert air.receive() == node.feature_frame(0, sync=False)
    node.counter += 1
    node.board.send(sent)
    assert node.refused()[1] == node.counter
    assert air.send(4, 0, 0) == air.nodes[4].feature_frame(0, sync=False), "the next packet is another node's"


def test_packets_with_implicit_header_need_a_gateway_with_a_key(implicit_air: Air) -> None:
    """All packets of such a link have one length, which the gateway takes from its own key."""
    air, node = implicit_air, implicit_air.nodes[3]
    gateway = KeyedBoard(air.gateway, KEY, GATEWAY)
    gateway.set_key()
    assert air.send(3, 0, 1) == node.feature_frame(0, 1, sync=False)
    node.counter += 1
    node.send(Opcode.RUN, run_data(0, node.images[0], by_radio=True))
    assert node.error() == (ErrorCode.BAD_ARGUMENT, Opcode.RUN)
    node.counter += 1
    assert air.send(3, 1, 1) == node.feature_frame(1, 1, sync=False)
