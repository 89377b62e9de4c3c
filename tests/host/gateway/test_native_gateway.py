"""Real firmware on a simulated air: a node's images through two gateways and a broker to a receiver."""

import json
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from channel_sim import LoRa
from channel_sim.live.radio_hub import RadioHub
from firmware.tools import emulator
from host.receive.events import AnswerFrame, FeatureFrame
from host.receive.radio import PacketReceiver
from tests.firmware.radio.native_radio import load_golden, running_node, unlimited
from tests.support.mqtt.broker import running, wait_until
from tests.support.mqtt.gateways import serving, settings, subscribing

pytestmark = pytest.mark.emulated

IMAGES, DEVICE, GATEWAYS = 6, 3, (8, 9)


def test_images_of_a_node_arrive_by_two_gateways(tmp_path: Path) -> None:
    golden, programs = load_golden(), unlimited()
    with ExitStack() as stack:
        hub = stack.enter_context(RadioHub(LoRa(-5.0), fast=True))
        mosquitto = stack.enter_context(running(tmp_path))
        for number in GATEWAYS:
            url = stack.enter_context(
                emulator.native(programs.gateway, "--radio", f"tcp:127.0.0.1:{hub.port}", "--device", str(number))
            )
            values = replace(settings(tmp_path, url), name=f"g{number}", buffer=tmp_path / f"buffer{number}")
            service = stack.enter_context(serving(values, mosquitto))
            wait_until(lambda service=service: service.lines[0].state.connected)  # type: ignore[misc]
        found = stack.enter_context(subscribing(mosquitto))
        node = stack.enter_context(running_node(hub, DEVICE, programs.node, golden.bundle))
        for image in golden.images[:IMAGES]:
            node.run_by_radio(image)
        wait_until(lambda: all(sum(p.gateway == f"g{n}" for p in found.packets) >= IMAGES - 1 for n in GATEWAYS))
    for number in GATEWAYS:
        receiver = PacketReceiver([golden.bundle])
        own = [packet for packet in found.packets if packet.gateway == f"g{number}"]
        events = [receiver.take(packet.payload, packet.snr_db, packet.rssi_dbm) for packet in own]
        frames = [event for event in events if isinstance(event, FeatureFrame | AnswerFrame)]
        assert {frame.device for frame in frames} == {DEVICE} and len(frames) >= IMAGES - 1
        assert len({json.dumps(packet.as_json()) for packet in own}) == len(own)
        assert all(packet.snr_db is not None and -20 < packet.snr_db < 0 for packet in own)
