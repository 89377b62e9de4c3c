"""The last state of a device, and when a device is no product of noise."""

from dataclasses import replace

import pytest

from host.publish.states import ANSWERS, ANSWERS_S, DeviceState, key_of
from host.site.records import AnyRecord, ReadingRecord, Reception
from tests.host.site.test_records import EVENT, READING, STATUS

DAMAGED = replace(READING, auth="none", crc_ok=False)
ANSWER = replace(DAMAGED, frame="answer", crc_ok=None, answered_by="board", symbols=(), answer_word=3)


def state_of(*records: AnyRecord) -> DeviceState:
    state = DeviceState("home", 3)
    for record in records:
        state.take(record)
    return state


def answers(count: int, seconds: float) -> list[ReadingRecord]:
    return [replace(ANSWER, id=str(n), time=1000.0 + n * seconds, receptions=()) for n in range(count)]


@pytest.mark.parametrize(
    ("records", "proven"),
    [
        ([replace(DAMAGED, crc_ok=True)], True),
        ([replace(DAMAGED, auth="header")], True),
        ([replace(DAMAGED, auth="full")], True),
        ([STATUS], True),
        ([DAMAGED] * 50, False),
        ([EVENT], False),
        ([replace(ANSWER, crc_ok=True)], True),  # by the CRC of the radio
        ([replace(ANSWER, crc_ok=False)], False),
        (answers(ANSWERS, 60.0), True),
        (answers(ANSWERS - 1, 60.0), False),
        (answers(1, 60.0) * 9, False),  # copies of one
        (answers(99, ANSWERS_S / 2 + 1), False),  # too rare to be no noise
        ([replace(one, unsure=True) for one in answers(9, 60.0)], False),
        ([replace(one, unexpected=True) for one in answers(9, 60.0)], False),
    ],
)
def test_device_is_proven_by_what_noise_cannot_be(records: list[AnyRecord], proven: bool) -> None:
    assert state_of(*records).proven == proven


def test_state_joins_reading_and_status() -> None:
    values = state_of(STATUS, READING).as_json(("fox", "cat", "Big Dog"))
    assert values == {
        "kind": "state",
        "site": "home",
        "device": 3,
        "last_seen": "2026-09-21T14:13:20+00:00",
        "silent": False,
        "reading": READING.id,
        "bundle": "cifar10",
        "label": "cat",
        "confidence": 0.91,
        "answered_by": "host",
        "unsure": False,
        "auth": "header",
        "ber": 0.01,
        "snr_db": -7.5,
        "lost_total": 4,
        "battery_v": 3.31,
        "tasks": {"animals": "fox", "people": "none of these"},
        "alerts": {"fox": True, "cat": True, key_of("Big Dog"): False},
    }


def test_late_reading_does_not_replace_the_state_but_a_new_frame_of_it_does() -> None:
    late = replace(READING, id="earlier", label="dog", late=True)
    more = replace(READING, label="fox", duplicate=True)
    assert state_of(READING, late).as_json()["label"] == "cat"
    assert state_of(READING, more).as_json()["label"] == "fox"


def test_unsure_reading_alerts_nobody() -> None:
    assert state_of(replace(READING, unsure=True)).as_json(("cat",))["alerts"] == {"cat": False}


def test_silence_lasts_until_the_next_frame() -> None:
    state = state_of(READING)
    assert state.take(EVENT) and state.as_json()["silent"]
    assert not state.take(EVENT)  # no change, so nothing to publish
    assert not state.take(replace(EVENT, event="clash"))
    assert state.take(READING) and not state.as_json()["silent"]
    state.take(EVENT)
    assert state.take(replace(EVENT, event="back")) and not state.silent


def test_last_seen_is_the_last_reception() -> None:
    later = replace(READING, receptions=(Reception("north", READING.time + 60, 0.1),))
    assert state_of(later, READING).as_json()["last_seen"] == "2026-09-21T14:14:20+00:00"


@pytest.mark.parametrize(
    "text", ["fox", "Fox", "red fox", "red_fox", "лиса", "']}}{{", "", "_", "3", "a" * 99, "a" * 98]
)
def test_key_of_is_safe_in_templates_and_different(text: str) -> None:
    key = key_of(text)
    assert key and set(key) <= set("abcdefghijklmnopqrstuvwxyz0123456789_")
    others = {"fox", "Fox", "red fox", "red_fox", "лиса", "']}}{{", "", "_", "3", "a" * 99, "a" * 98} - {text}
    assert key not in {key_of(other) for other in others}
