"""Two nodes, a gateway and `inkling receive` as processes, connected by a simulated radio hub."""

import re
import time
from collections.abc import Iterator
from contextlib import ExitStack

import numpy as np
import pytest

from channel_sim import LoRa
from channel_sim.live.radio_hub import RadioHub
from host.board.board import Board
from host.board.errors import BoardError
from tests.firmware.radio.native_radio import (
    Golden,
    Programs,
    ReceiveProcess,
    load_golden,
    receiving,
    running_node,
    unlimited,
)
from tests.support.firmware import program
from wire.control import ANSWER_SENT, LONGEST_PREFIX, ErrorCode, Mode, ModeSetting, RadioReport
from wire.frame import HEADER_BYTES

pytestmark = pytest.mark.emulated

DEVICES = (3, 4)
LAST = 200  # device number of the packet that is sent last
MICROS_PER_SECOND = 9_000  # of air time, at a duty cycle of 1 %


@pytest.fixture(scope="module")
def golden() -> Golden:
    return load_golden()


@pytest.fixture(scope="module")
def sanitized() -> Programs:
    return unlimited()


@pytest.fixture(scope="module")
def implicit() -> Programs:
    """Programs without the radio's own header, for chunk 1 only."""
    return unlimited("-D INKLING_LORA_IMPLICIT=1 -D INKLING_LORA_CHUNK=1")


class Link:
    """The nodes of DEVICES and a receiving host."""

    def __init__(
        self, hub: RadioHub, programs: Programs, nodes: list[Board], host: ReceiveProcess, golden: Golden
    ) -> None:
        self.hub, self.nodes, self.host = hub, nodes, host
        self._programs, self._golden = programs, golden

    def end(self, by_mode: bool = False) -> list[dict]:
        """End the host once it has all packets, and return the readings of DEVICES.

        Packets stay in order, so all have arrived when one more, which the channel does not damage, has.
        """
        with running_node(self.hub, LAST, self._programs.node, self._golden.bundle) as node:
            node.run_by_radio(self._golden.images[0], by_mode=by_mode)
        self.host.wait(lambda readings: bool(readings) and readings[-1]["device"] == LAST)
        return [reading for reading in self.host.end() if reading["device"] != LAST]


@pytest.fixture
def link(request: pytest.FixtureRequest, golden: Golden) -> Iterator[Link]:
    """A link over a channel, with the programs that a fixture gives."""
    channel, fixture = request.param
    programs = request.getfixturevalue(fixture)
    with ExitStack() as stack:
        hub = stack.enter_context(RadioHub(channel, seed=1, snr_db={LAST: 20.0}, fast=True))
        host = stack.enter_context(receiving(hub, programs.gateway, golden.bundle))
        nodes = [stack.enter_context(running_node(hub, n, programs.node, golden.bundle)) for n in DEVICES]
        yield Link(hub, programs, nodes, host, golden)


def of_device(readings: list[dict], device: int) -> list[dict]:
    return [reading for reading in readings if reading["device"] == device]


@pytest.mark.parametrize("link", [(LoRa(10.0), "sanitized")], indirect=True)
def test_link_delivers_every_image_intact_over_a_good_channel(link: Link, golden: Golden) -> None:
    count = len(golden.images)
    for n in range(count):
        for board in link.nodes:
            cost, sent = board.run_by_radio(golden.images[n])
            assert sent.chunk == 0 and 0 < cost.encode_cycles <= cost.total_cycles
            assert sent.air_micros == round(1e6 * LoRa(10.0).air_time_s(golden.bundle.chunk_layout(0).size))
    readings = link.end()
    assert len(readings) == 2 * count
    for device in DEVICES:
        received = of_device(readings, device)
        assert [reading["payload"] for reading in received] == golden.payloads[:count]
        assert [reading["index"] for reading in received] == golden.indices.tolist()
        assert [reading["sequence"] for reading in received] == [n % 32 for n in range(count)]
        assert all(reading["crc_ok"] and reading["lost_total"] == 0 for reading in received)
        assert all(abs(reading["snr_db"] - 10) < 5 and -110 < reading["rssi_dbm"] < -104 for reading in received)
    assert f"inkling: {2 * count + 1} frames, 0 lost" in link.host.printed
    assert f"; {2 * count + 1} packets by radio, 0 lost between gateway and host, 0 foreign" in link.host.printed


@pytest.mark.parametrize("link", [(LoRa(-10.5), "sanitized")], indirect=True)
def test_link_classifies_damaged_packets_and_counts_lost_ones_over_a_bad_channel(link: Link, golden: Golden) -> None:
    count = 70
    for n in range(count):
        for board in link.nodes:
            board.run_by_radio(golden.images[n % len(golden.images)], chunk=0)
    readings, counts = link.end(), link.hub.devices
    arrived = sum(counts[device].clean + counts[device].damaged for device in DEVICES)
    (foreign,) = map(int, re.findall(r"(\d+) foreign", link.host.printed))
    assert len(readings) == arrived - foreign and foreign <= 3
    for device in DEVICES:
        received = of_device(readings, device)
        assert counts[device].lost >= 1 and counts[device].damaged > 0.8 * count
        assert received[0]["sequence"] == 0 and received[-1]["sequence"] == (count - 1) % 32
        assert received[-1]["lost_total"] == count - len(received) >= counts[device].lost
        assert sum(not reading["crc_ok"] for reading in received) > 0.8 * len(received)
    correct = [reading["index"] == golden.indices[reading["image_number"] % len(golden.images)] for reading in readings]
    assert sum(correct) >= 0.9 * len(correct)
    assert 0.01 < np.mean([reading["ber"] for reading in readings]) < 0.1, "about 0.03"


@pytest.mark.parametrize("link", [(LoRa(10.0), "sanitized")], indirect=True)
def test_link_delivers_answers_and_features_in_adaptive_mode(link: Link, golden: Golden) -> None:
    """The threshold is the median confidence, so that the board answers about half of the images itself."""
    threshold = int(np.median([answer.confidence for answer in golden.answers])) + 1
    sure = [answer.confidence >= threshold for answer in golden.answers]
    for board in link.nodes:
        board.mode(ModeSetting(Mode.ADAPTIVE, threshold))
        for n, image in enumerate(golden.images):
            _, sent = board.run_by_radio(image, by_mode=True)
            assert sent.chunk == (ANSWER_SENT if sure[n] else 0)
            size = HEADER_BYTES if sure[n] else golden.bundle.chunk_layout(0).size
            assert sent.air_micros == round(1e6 * LoRa(10.0).air_time_s(size))
    readings = link.end()
    for device in DEVICES:
        received = of_device(readings, device)
        assert [reading["sequence"] for reading in received] == [(1 + n) % 32 for n in range(len(sure))]
        assert [reading["answered_by"] for reading in received] == [("host", "board")[n] for n in sure]
        answers = [answer.index for answer, answered in zip(golden.answers, sure, strict=True) if answered]
        assert [reading["index"] for reading in received if reading["answered_by"] == "board"] == answers


@pytest.mark.parametrize("link", [(LoRa(-9.0), "sanitized")], indirect=True)
def test_link_delivers_answers_over_a_channel_that_damages_features(link: Link, golden: Golden) -> None:
    count = 60
    for board in link.nodes:
        board.mode(ModeSetting(Mode.ANSWER, 0))
        for n in range(count):
            board.run_by_radio(golden.images[n % len(golden.images)], by_mode=True)
    readings, counts = link.end(), link.hub.devices
    for device in DEVICES:
        received = of_device(readings, device)
        assert counts[device].damaged > 0 and len(received) >= count - counts[device].lost - 2
        assert {reading["answered_by"] for reading in received} == {"board"}
        correct = [
            reading["index"] == golden.answers[(reading["image_number"] - 1) % len(golden.answers)].index
            for reading in received
        ]
        assert sum(correct) >= 0.97 * len(correct)


@pytest.fixture(scope="module")
def implicit_answers() -> Programs:
    """Programs without the radio's own header, for answers only."""
    return unlimited(f"-D INKLING_LORA_IMPLICIT=1 -D INKLING_LORA_CHUNK={ANSWER_SENT}")


@pytest.mark.slow
@pytest.mark.parametrize("link", [(LoRa(10.0, explicit_header=False), "implicit_answers")], indirect=True)
def test_link_with_implicit_headers_of_answers_sends_answers_only(link: Link, golden: Golden) -> None:
    for board in link.nodes:
        for image in golden.images[:5]:
            _, sent = board.run_by_radio(image, by_mode=True)
            assert sent.chunk == ANSWER_SENT, "whatever the confidence: the mode is adaptive"
        with pytest.raises(BoardError, match="BAD_ARGUMENT"):
            board.run_by_radio(golden.images[0])
    readings = link.end(by_mode=True)
    for device in DEVICES:
        indices = [reading["index"] for reading in of_device(readings, device)]
        assert indices == [answer.index for answer in golden.answers[:5]]


@pytest.mark.parametrize("link", [(LoRa(-12.0, explicit_header=False), "implicit")], indirect=True)
def test_link_with_implicit_headers_loses_no_packet(link: Link, golden: Golden) -> None:
    count = 40
    for n in range(count):
        for board in link.nodes:
            _, sent = board.run_by_radio(golden.images[n % len(golden.images)])
            assert sent.chunk == 1, "the only one"
    with pytest.raises(BoardError, match="BAD_ARGUMENT"):
        link.nodes[0].run_by_radio(golden.images[0], chunk=0)
    readings, counts = link.end(), link.hub.devices
    for device in DEVICES:
        assert counts[device].lost == 0 and counts[device].damaged > 0.9 * count
        assert len(of_device(readings, device)) > 0.8 * count, "a third of explicit headers would be damaged"
    assert {reading["chunk"] for reading in readings} == {1}


def send_when_allowed(board: Board, image: np.ndarray, chunk: int, by_mode: bool = False) -> RadioReport:
    """Try to send until the node has the air time."""
    while True:
        try:
            return board.run_by_radio(image, chunk, by_mode)[1]
        except BoardError as error:
            assert error.code == ErrorCode.AIR_TIME
        time.sleep(0.5)


@pytest.mark.slow
def test_node_keeps_to_its_duty_cycle_and_falls_back_to_shorter_packets(golden: Golden) -> None:
    """As built by default, 1 %: no air time at the start, then 9 ms per second."""
    image, started = golden.images[0], time.monotonic()
    with RadioHub(LoRa(10.0), fast=True) as hub, running_node(hub, 3, program("native_radio"), golden.bundle) as board:
        frame, _ = board.run(image)
        assert frame and frame.crc_ok, "the serial line has no duty cycle"
        board.mode(ModeSetting(Mode.ADAPTIVE, 15))
        sent = [send_when_allowed(board, image, LONGEST_PREFIX, by_mode=True)]
        sent.append(send_when_allowed(board, image, 0))
        allowed = MICROS_PER_SECOND * (time.monotonic() - started)
        assert sum(report.air_micros for report in sent) <= allowed
        counts = hub.devices[3]
    assert sent[0].chunk == ANSWER_SENT, "the shortest packet is affordable first, whatever the confidence"
    assert sent[1].chunk == 0
    assert counts.sent == 2 and counts.air_s == pytest.approx(sum(report.air_micros for report in sent) / 1e6)


def test_node_refuses_a_chunk_that_the_model_lacks(golden: Golden, sanitized: Programs) -> None:
    with RadioHub(LoRa(10.0), fast=True) as hub, running_node(hub, 3, sanitized.node, golden.bundle) as board:
        for chunk in (len(golden.bundle.chunks), ANSWER_SENT):
            with pytest.raises(BoardError, match="BAD_ARGUMENT"):
                board.run_by_radio(golden.images[0], chunk)
        assert not hub.devices
