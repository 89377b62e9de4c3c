"""Subscriptions that the broker refuses."""

import json
from pathlib import Path

from host.gateway.subscriber import Subscriber
from host.mqtt import topics
from host.mqtt.broker import Broker
from tests.support.mqtt.broker import WAIT_S, running


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
