"""Home Assistant's MQTT discovery, device based: one retained configuration per device.

www.home-assistant.io/integrations/mqtt/#device-discovery-payload describes it. Texts from outside, such as the names of
classes, are names of entities and states there, and never part of a template.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import metadata

from host.mqtt import topics
from host.publish.states import DeviceState, key_of
from host.site.records import Json

DISTRIBUTION = "inkling-edge"
STATUS, ONLINE = "status", b"online"  # Home Assistant's own state, under the prefix


@dataclass(frozen=True)
class DeviceName:
    """What people call a device, and where it is."""

    name: str | None = None
    area: str | None = None


@dataclass(frozen=True)
class HomeAssistant:
    """Settings of the discovery. alerts: classes for each of which a device has a binary sensor."""

    prefix: str = "homeassistant"
    names: Mapping[tuple[str, int], DeviceName] = field(default_factory=dict)  # by site and device
    alerts: tuple[str, ...] = ()

    @property
    def status_topic(self) -> str:
        """Topic on which Home Assistant says that it has started."""
        return f"{self.prefix}/{STATUS}"

    def config(self, state: DeviceState, client: str) -> Json:
        """Return the configuration of a device. client: this program's name at the broker."""
        name = self.names.get((state.site, state.device), DeviceName())
        unique = unique_id(state.site, state.device)
        components = {key: {**one, "unique_id": f"{unique}_{key}"} for key, one in self._components(state).items()}
        device = {
            "ids": [unique],
            "name": name.name or f"{state.site} {state.device}",
            "mf": "Inkling",
            "mdl": state.reading.bundle if state.reading else None,
            "sa": name.area,
        }
        topic = topics.state(state.site, state.device)
        return {
            "dev": {key: value for key, value in device.items() if value is not None},
            "o": _origin(),
            "cmps": components,
            "state_topic": topic,
            "availability": [
                {"topic": topics.online(client)},
                {"topic": topic, "value_template": "{{ 'offline' if value_json.silent else 'online' }}"},
            ],
            "availability_mode": "all",
            "qos": 1,
        }

    def _components(self, state: DeviceState) -> dict[str, Json]:
        components = {
            "confidence": _sensor(
                "Confidence",
                "{{ (100 * value_json.confidence) | round(1) if value_json.confidence is not none else none }}",
                unit_of_measurement="%",
                state_class="measurement",
                suggested_display_precision=1,
            ),
            "ber": _diagnostic("Bit error rate", "ber", state_class="measurement", suggested_display_precision=4),
            "snr": _diagnostic(
                "SNR", "snr_db", device_class="signal_strength", unit_of_measurement="dB", state_class="measurement"
            ),
            "battery": _diagnostic(
                "Battery", "battery_v", device_class="voltage", unit_of_measurement="V", state_class="measurement"
            ),
            "last_seen": _diagnostic("Last seen", "last_seen", device_class="timestamp"),
            "lost": _diagnostic("Images lost", "lost_total", state_class="measurement"),
        }
        if state.reading and state.reading.label is not None:  # else of a general bundle, which has only tasks
            components["class"] = _sensor("Class", "{{ value_json.label }}", icon="mdi:image-search")
        for task in sorted(state.tasks):
            key = key_of(task)
            components[f"task_{key}"] = _sensor(
                task, f"{{{{ value_json.tasks['{key}'] | default(none) }}}}", icon="mdi:image-search"
            )
        for label in self.alerts:
            key = key_of(label)
            components[f"alert_{key}"] = {
                "p": "binary_sensor",
                "name": label,
                "value_template": f"{{{{ 'ON' if value_json.alerts['{key}'] else 'OFF' }}}}",
            }
        return components


def _origin() -> Json:
    try:
        return {"name": "Inkling", "sw": metadata.version(DISTRIBUTION)}
    except metadata.PackageNotFoundError:  # it runs in a clone
        return {"name": "Inkling"}


def unique_id(site: str, device: int) -> str:
    """Return the identifier of a device in Home Assistant."""
    return f"inkling_{key_of(site)}_{device}"


def config_topic(prefix: str, site: str, device: int) -> str:
    """Return the topic of a device's configuration."""
    return f"{prefix}/device/{re.sub(r'[^a-zA-Z0-9_-]', '_', unique_id(site, device))}/config"


def _sensor(name: str, template: str, **more: object) -> Json:
    return {"p": "sensor", "name": name, "value_template": template, **more}


def _diagnostic(name: str, field_name: str, **more: object) -> Json:
    return _sensor(name, f"{{{{ value_json.{field_name} }}}}", entity_category="diagnostic", **more)
