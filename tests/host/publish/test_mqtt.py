"""Records at a real broker: topics, retained states, announcements, and a broker that is away."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from host.mqtt import topics
from host.mqtt.broker import Broker
from host.publish.home_assistant import HomeAssistant, config_topic
from host.publish.mqtt import Publisher
from host.site.records import AnyRecord, record_of
from tests.host.publish.discovery import check_config
from tests.host.site.test_records import EVENT, READING, STATUS
from tests.support.mqtt.broker import WAIT_S, Mosquitto, listening, running, wait_until

CONFIG, STATE = config_topic("homeassistant", "home", 3), topics.state("home", 3)
DAMAGED = replace(READING, auth="none", crc_ok=False)


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    with running(tmp_path) as broker:
        yield broker


@contextmanager
def publishing(broker: Mosquitto, most_queued: int = 1000, online: bool = True) -> Iterator[Publisher]:
    publisher = Publisher(Broker.of(broker.url), "host", HomeAssistant(alerts=("cat",)), most_queued)
    publisher.start()
    try:
        if online:
            assert publisher.sender.first_attempt(WAIT_S) is None
        yield publisher
    finally:
        publisher.close()


def test_records_arrive_on_their_topics_as_they_are(mosquitto: Mosquitto) -> None:
    records: list[AnyRecord] = [READING, STATUS, EVENT, replace(STATUS, gateway=True, device=9)]
    with listening(mosquitto, "inkling/#") as listener, publishing(mosquitto) as publisher:
        for record in records:
            publisher.publish(record)
        wait_until(lambda: publisher.waiting == 0 and listener.on("inkling/status/home/gateway-9"))
    names = ["inkling/readings/home/3", "inkling/status/home/3", "inkling/events/home", "inkling/status/home/gateway-9"]
    for name, record in zip(names, records, strict=True):
        assert [record_of(json.loads(payload)) for payload in listener.on(name)] == [record]


def test_state_and_announcement_are_retained_and_readings_are_not(mosquitto: Mosquitto) -> None:
    with publishing(mosquitto) as publisher:
        for label in ("dog", "cat"):
            publisher.publish(replace(READING, label=label))
        wait_until(lambda: publisher.waiting == 0)
        with listening(mosquitto, "inkling/+/home/#", "homeassistant/#") as listener:
            wait_until(lambda: listener.last(STATE) and listener.last(CONFIG))
            assert all(retained for _, _, retained in listener.messages)
    assert {topic for topic, _, _ in listener.messages} == {STATE, CONFIG}
    assert json.loads(listener.last(STATE) or b"")["label"] == "cat"
    check_config(CONFIG, json.loads(listener.last(CONFIG) or b""))


def test_restored_records_are_part_of_the_next_state_and_not_published(mosquitto: Mosquitto) -> None:
    with listening(mosquitto, "#") as listener, publishing(mosquitto) as publisher:
        publisher.restore([STATUS, replace(READING, label="dog"), replace(STATUS, device=4), EVENT])
        publisher.publish(replace(READING, label="cat", id="next"))
        wait_until(lambda: listener.last(STATE) and listener.on("inkling/readings/"))
        state = json.loads(listener.last(STATE) or b"")
        assert (state["label"], state["battery_v"]) == ("cat", STATUS.battery_v)
    assert {topic for topic, _, _ in listener.messages if topic.startswith("inkling/")} == {
        STATE, topics.readings("home", 3), topics.online("host"),
    }  # fmt: skip


def test_phantom_is_never_announced_and_has_no_state(mosquitto: Mosquitto) -> None:
    with listening(mosquitto, "#") as listener, publishing(mosquitto) as publisher:
        for device in range(50):
            publisher.publish(replace(DAMAGED, id=str(device), device=device + 100))
        publisher.publish(replace(EVENT, device=120))
        publisher.publish(READING)
        wait_until(lambda: listener.last(CONFIG) and len(listener.on("inkling/readings/")) == 51)
    assert {topic for topic, _, _ in listener.messages if topic.startswith("homeassistant")} == {CONFIG}
    assert {topic for topic, _, _ in listener.messages if "/state/" in topic} == {STATE}


def test_announcement_is_not_repeated_with_each_state_but_when_home_assistant_starts(mosquitto: Mosquitto) -> None:
    with listening(mosquitto, "#") as listener, publishing(mosquitto) as publisher:
        for number in range(20):
            publisher.publish(replace(READING, id=str(number), confidence=number / 20))
        wait_until(lambda: publisher.waiting == 0 and len(listener.on(STATE)) >= 1)
        assert len(listener.on(CONFIG)) == 1
        listener.send("homeassistant/status", b"online")
        wait_until(lambda: len(listener.on(CONFIG)) == 2)
        listener.send("homeassistant/status", b"offline")
        publisher.publish(replace(READING, tasks={}, bundle="other"))  # a change of the device
        wait_until(lambda: len(listener.on(CONFIG)) == 3)


def test_withdraw_clears_what_is_retained(mosquitto: Mosquitto) -> None:
    with publishing(mosquitto) as publisher:
        publisher.publish(READING)
        publisher.publish(replace(READING, device=4))
        publisher.withdraw("home", 3)
        wait_until(lambda: publisher.waiting == 0)
    with listening(mosquitto, "inkling/state/#", "homeassistant/#") as listener:
        wait_until(lambda: len(listener.messages) == 2)
    assert {topic for topic, _, _ in listener.messages} == {
        topics.state("home", 4),
        config_topic("homeassistant", "home", 4),
    }


def test_publish_never_waits_and_keeps_the_newest(mosquitto: Mosquitto) -> None:
    mosquitto.kill()
    with publishing(mosquitto, most_queued=100, online=False) as publisher:
        begin = time.thread_time()
        for number in range(500):
            publisher.publish(replace(READING, id=str(number), image_number=number, label=f"class {number}"))
        assert time.thread_time() - begin < 5.0
        assert publisher.dropped == 400
        mosquitto.start()
        with listening(mosquitto, "inkling/#") as listener:
            wait_until(lambda: publisher.waiting == 0 and listener.last(STATE))
            states = listener.on(STATE)
    assert json.loads(states[-1])["label"] == "class 499" and len(states) <= 2


def test_states_are_sent_again_to_a_broker_that_has_lost_them(mosquitto: Mosquitto, tmp_path: Path) -> None:
    with publishing(mosquitto) as publisher:
        publisher.publish(READING)
        wait_until(lambda: publisher.waiting == 0)
        mosquitto.kill()
        (tmp_path / "mosquitto.db").unlink(missing_ok=True)
        mosquitto.start()
        with listening(mosquitto, STATE, CONFIG, topics.online("host")) as listener:
            wait_until(lambda: listener.last(STATE) and listener.last(CONFIG))
            wait_until(lambda: listener.last(topics.online("host")) == b"online")
