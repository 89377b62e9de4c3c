"""Status frames by radio: nodes and a gateway as processes on a simulated air, and a receiving host."""

import numpy as np
import pytest

from channel_sim import LoRa
from channel_sim.live.radio_hub import RadioHub
from tests.firmware.radio.native_radio import GATEWAY, load_golden, receiving, running_node, unlimited

pytestmark = [pytest.mark.emulated, pytest.mark.slow]


def test_nodes_and_gateway_report_their_status_to_the_host() -> None:
    golden, programs = load_golden(), unlimited(status=True)
    with (
        RadioHub(LoRa(10.0)) as hub,
        receiving(hub, programs.gateway, golden.bundle) as host,
        running_node(hub, 3, programs.node, golden.bundle) as first,
        running_node(hub, 5, programs.node, golden.bundle) as second,
    ):
        host.wait(lambda _: {3, 5, GATEWAY} <= {event["device"] for event in host.events})
        images = np.asarray(golden.images)
        for n in range(3):
            first.run_by_radio(images[n], 0)
            second.run_by_radio(images[n], 0)
        host.wait(lambda readings: len(readings) == 6)
        readings, events, printed = host.end(), host.events, host.printed
        devices = hub.devices
    assert [event["event"] for event in events] == ["status"] * len(events)
    status = {event["device"]: event for event in events}
    for device in (3, 5):
        assert (status[device]["gateway"], status[device]["received_by"]) == (False, GATEWAY)
        assert status[device]["snr_db"] == pytest.approx(10, abs=4)
        assert (status[device]["uptime_s"], status[device]["period_s"]) == (0, 3600)
        assert (devices[device].sent, devices[device].statuses) == (4, 1)
    gateway = status[GATEWAY]
    assert (gateway["gateway"], gateway["received_by"], gateway["period_s"]) == (True, None, 60)
    assert gateway["reset_cause"] == "power-on"
    assert sorted(reading["device"] for reading in readings) == [3, 3, 3, 5, 5, 5]
    assert "8 packets by radio, 0 lost between gateway and host, 0 foreign" in printed
