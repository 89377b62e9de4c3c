"""Announcements to Home Assistant: its documented schema, names from outside, and what its templates show."""

import json
from dataclasses import replace

import pytest

from host.publish.home_assistant import DeviceName, HomeAssistant, config_topic, unique_id
from host.publish.states import DeviceState
from host.site.records import AnyRecord, Json, TaskAnswer
from tests.host.publish.discovery import check_config, render
from tests.host.site.test_records import READING, STATUS

HOSTILE = ["{{ 7 * 7 }}", "'] }}", "</script>", "a\nb", "лиса", "x" * 500]


def announced(*records: AnyRecord, site: str = "home", **settings: object) -> tuple[Json, Json]:
    """Return the configuration of device 3, and its state."""
    home_assistant = HomeAssistant(**settings)  # type: ignore[arg-type]
    state = DeviceState(site, 3)
    for record in records:
        state.take(record)
    config = json.loads(json.dumps(home_assistant.config(state, "host")))
    check_config(config_topic("homeassistant", site, 3), config)
    return config, state.as_json(home_assistant.alerts)


def shown(config: Json, state: Json) -> dict[str, str]:
    """Return what each entity shows."""
    return {name: render(one["value_template"], state) for name, one in config["cmps"].items()}


def test_entities_show_the_state() -> None:
    reading = replace(READING, tasks={})
    config, state = announced(reading, STATUS, alerts=("cat", "Big Dog"))
    values = shown(config, state)
    assert values.pop("alert_cat") == "ON"
    assert [values.pop(name) for name in list(values) if name.startswith("alert_big_dog_")] == ["OFF"]
    assert values == {
        "confidence": "91.0",
        "ber": "0.01",
        "snr": "-7.5",
        "battery": "3.31",
        "last_seen": "2026-09-21T14:13:20+00:00",
        "lost": "4",
        "class": "cat",
    }
    offline = config["availability"][1]["value_template"]
    assert render(offline, state) == "online" and render(offline, {**state, "silent": True}) == "offline"


def test_what_is_not_known_is_shown_as_none() -> None:
    """Home Assistant takes the text None for an unknown state."""
    config, state = announced(STATUS)
    values = shown(config, state)
    assert "class" not in values and values["confidence"] == values["ber"] == values["lost"] == "None"
    assert values["battery"] == "3.31"


def test_general_bundle_has_an_entity_per_task() -> None:
    general = replace(READING, label=None, index=None, confidence=None)
    config, state = announced(general)
    values = shown(config, state)
    assert "class" not in values and (values["task_animals"], values["task_people"]) == ("fox", "none of these")
    state["tasks"] = {}  # of a reading that the task has not answered
    assert shown(config, state)["task_animals"] == "None"


def test_device_has_the_name_and_area_of_the_settings() -> None:
    config, _ = announced(READING, names={("home", 3): DeviceName("Front door", "Garden")})
    assert (config["dev"]["name"], config["dev"]["sa"], config["dev"]["mdl"]) == ("Front door", "Garden", "cifar10")
    config, _ = announced(READING)
    assert config["dev"]["name"] == "home 3" and "sa" not in config["dev"]


@pytest.mark.parametrize("text", HOSTILE)
def test_texts_from_outside_are_no_templates(text: str) -> None:
    reading = replace(READING, label=text, tasks={text: TaskAnswer(text, 1, 0.5)})
    config, state = announced(reading, site="Büro 2", alerts=(text,))
    assert not any(
        text[:8] in template for template in json.dumps([c["value_template"] for c in config["cmps"].values()])
    )
    values = shown(config, state)
    assert values["class"] == text[:255]
    assert [value for name, value in values.items() if name.startswith("alert_")] == ["ON"]


def test_identifiers_of_different_sites_differ() -> None:
    sites = ["home", "Home", "home 3", "home_3", "Büro", "Buro"]
    assert (
        len({unique_id(site, 3) for site in sites}) == len({config_topic("h", site, 3) for site in sites}) == len(sites)
    )
