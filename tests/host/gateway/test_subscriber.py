"""Messages that are no packets, and subscriptions that the broker refuses."""

import json
from pathlib import Path

import pytest

from host.gateway.subscriber import Subscriber, parse_message
from host.mqtt import topics
from host.mqtt.broker import Broker
from host.site.packets import GatewayPacket
from tests.support.mqtt.broker import WAIT_S, running
from wire.checks import ContentError


@pytest.mark.parametrize(("site", "gateway"), [("x" * 300, "north"), ("barn", "x" * 300), ("", "north"), ("a/b", "c")])
def test_parse_message_refuses_names_that_no_file_could_have(site: str, gateway: str) -> None:
    packet = GatewayPacket(site, gateway, "b", 0, 1.0, bytes(10))
    with pytest.raises(ContentError, match="is no name"):
        parse_message(topics.packets(site, gateway), json.dumps(packet.as_json()).encode())


def test_subscription_that_is_refused_is_reported(tmp_path: Path) -> None:
    """An acl_file of mosquitto's refuses no subscription, but delivers nothing; its plugin refuses them."""
    access = {"publishClientSend": True, "publishClientReceive": True, "subscribe": False, "unsubscribe": True}
    (tmp_path / "access.json").write_text(json.dumps({"defaultACLAccess": access}))
    (plugin,) = Path("/usr/lib").glob("*/mosquitto_dynamic_security.so")
    with running(tmp_path, f"plugin {plugin}", f"plugin_opt_config_file {tmp_path / 'access.json'}") as mosquitto:
        subscriber = Subscriber(Broker.of(mosquitto.url), "decode-0-of-2", topics.packet_filters(0, 2), print)
        subscriber.start()
        problem = subscriber.first_attempt(WAIT_S)
        subscriber.close()
    assert problem == (
        f"{mosquitto.url} refuses the subscription to inkling/packets/000/+/+: check the permissions of the user"
    )
