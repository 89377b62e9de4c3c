"""Home Assistant's documented schema of device discovery, as far as this host uses it.

From www.home-assistant.io/integrations/mqtt/#device-discovery-payload, /integrations/sensor.mqtt/ and
/integrations/binary_sensor.mqtt/, and from homeassistant/components/mqtt/schemas.py, discovery.py and abbreviations.py
of github.com/home-assistant/core (November 2026). Its package for Python 3.11, of 2024, has no device discovery.
"""

import re
from collections.abc import Mapping
from typing import Any

DISCOVERY_TOPIC = re.compile(r"homeassistant/device/[a-zA-Z0-9_-]+/config")
DEVICE = {"ids": list, "name": str, "mf": str, "mdl": str, "sa": str}
ORIGIN = {"name": str, "sw": str, "url": str}
AVAILABILITY = {"topic": str, "payload_available": str, "payload_not_available": str, "value_template": str}
ROOT = {
    "dev": dict,
    "o": dict,
    "cmps": dict,
    "state_topic": str,
    "availability": list,
    "availability_mode": str,
    "qos": int,
}
ENTITY = {
    "p": str,
    "unique_id": str,
    "name": str,
    "value_template": str,
    "icon": str,
    "entity_category": str,
    "device_class": str,
}
SENSOR = {**ENTITY, "unit_of_measurement": str, "state_class": str, "suggested_display_precision": int}
BINARY_SENSOR = {**ENTITY, "payload_on": str, "payload_off": str}
PLATFORMS: dict[str, Mapping[str, type]] = {"sensor": SENSOR, "binary_sensor": BINARY_SENSOR}
# Units that sensor device classes demand, from homeassistant/components/sensor/const.py.
UNITS: dict[str | None, set[str | None]] = {
    "signal_strength": {"dB", "dBm"},
    "voltage": {"V", "mV"},
    "timestamp": {None},
    None: {"%", None},
}
STATE_CLASSES: set[str | None] = {"measurement", "total", "total_increasing", None}


def check_config(topic: str, config: dict[str, Any]) -> None:
    """Assert that a configuration is one that Home Assistant accepts."""
    assert DISCOVERY_TOPIC.fullmatch(topic)
    _check(config, ROOT, required={"dev", "o", "cmps"})
    _check(config["dev"], DEVICE, required={"ids"})
    assert config["dev"]["ids"] and all(isinstance(one, str) for one in config["dev"]["ids"])
    _check(config["o"], ORIGIN, required={"name"})
    assert config["availability_mode"] in ("all", "any", "latest") and config["qos"] in (0, 1, 2)
    for one in config["availability"]:
        _check(one, AVAILABILITY, required={"topic"})
    ids = [one["unique_id"] for one in config["cmps"].values()]
    assert len(set(ids)) == len(ids)
    for one in config["cmps"].values():
        # State topic and availability are shared options of the device.
        _check(one, PLATFORMS[one["p"]], required={"p", "unique_id", "name", "value_template"})
        assert one.get("entity_category") in ("diagnostic", None)
        if one["p"] == "sensor":
            assert one.get("unit_of_measurement") in UNITS[one.get("device_class")]
            assert one.get("state_class") in STATE_CLASSES
            assert not (one.get("device_class") == "timestamp" and one.get("state_class"))


def _check(values: dict[str, Any], schema: Mapping[str, type], required: set[str]) -> None:
    """Assert that all members are known and of their types, and that those required are there."""
    assert required <= values.keys() and values.keys() <= schema.keys(), values.keys() ^ schema.keys()
    assert all(isinstance(value, schema[name]) and value != "" for name, value in values.items()), values


def render(template: str, state: dict[str, Any]) -> str:
    """Return what Home Assistant makes of a template and a state, by Jinja."""
    import jinja2

    environment = jinja2.Environment(undefined=jinja2.StrictUndefined)
    return environment.from_string(template).render(value_json=state)
