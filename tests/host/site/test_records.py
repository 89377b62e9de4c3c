"""Records and packets: what comes back from JSON is what was written, and anything else is refused."""

import json
from dataclasses import fields

import pytest

from host.site.packets import GatewayPacket
from host.site.records import AnyRecord, EventRecord, ReadingRecord, Reception, StatusRecord, TaskAnswer, record_of
from wire.checks import ContentError

READING = ReadingRecord(
    id="home-3-19ad-7",
    site="home",
    time=1790000000.25,
    device=3,
    bundle="cifar10",
    model_id="58e3c1f2",
    image_number=7,
    sequence=7,
    frame="features",
    label="cat",
    index=3,
    confidence=0.91,
    answered_by="host",
    unsure=False,
    auth="header",
    ber=0.01,
    payload_ber=0.02,
    symbols=(3, -1, 0),
    answer_word=None,
    receptions=(Reception("north", 1790000000.25, 0.01, False, -7.5, -110.0), Reception("south", 1790000000.5, 0.2)),
    crc_ok=False,
    lost=1,
    lost_certainty="exactly",
    lost_total=4,
    lost_total_certainty="at least",
    duplicate=False,
    late=False,
    unexpected=False,
    tasks={"animals": TaskAnswer("fox", 1, 0.7), "people": TaskAnswer(None, None, None)},
)
STATUS = StatusRecord(
    "home-s-1", "home", 1.0, 3, False, 12, 3600, None, "watchdog", "adaptive", 12, 3.31, 1.5, 60, "north", -3.0, None
)
EVENT = EventRecord("home-e-1", "home", 2.0, "silent", "nothing from device 3 for 5 min", 3, False, {"seconds": 300.5})
PACKET = GatewayPacket("home", "north", "a1b2", 5, 3.5, bytes(range(40)), False, -7.25, None)


@pytest.mark.parametrize("record", [READING, STATUS, EVENT], ids=lambda record: record.kind)
def test_record_of_returns_what_was_written(record: AnyRecord) -> None:
    assert record_of(json.loads(json.dumps(record.as_json()))) == record


def test_record_of_ignores_unknown_fields() -> None:
    assert record_of({**EVENT.as_json(), "colour": "blue"}) == EVENT


@pytest.mark.parametrize("record", [READING, STATUS, EVENT], ids=lambda record: record.kind)
def test_record_of_refuses_wrong_types(record: AnyRecord) -> None:
    for field in fields(record):
        with pytest.raises(ContentError, match=r"\S"):
            record_of({**record.as_json(), field.name: object()} if field.name != "values" else [])


@pytest.mark.parametrize(
    "values",
    [
        None, [], {}, {"kind": "reading"}, {"kind": "gift"},
        {**READING.as_json(), "time": float("nan")}, {**READING.as_json(), "device": True},
        {**READING.as_json(), "symbols": [1, "2"]}, {**READING.as_json(), "receptions": [{"gateway": "north"}]},
        {**READING.as_json(), "tasks": {"animals": 3}},
    ],
)  # fmt: skip
def test_record_of_refuses_damaged_records(values: object) -> None:
    with pytest.raises(ContentError):
        record_of(values)


def test_packet_from_json_returns_what_was_published() -> None:
    assert GatewayPacket.from_json(json.loads(json.dumps(PACKET.as_json()))) == PACKET
    assert PACKET.id == "north-a1b2-5"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("kind", "reading"), ("site", 3), ("number", -1), ("number", 1.5), ("number", True), ("time", None),
        ("time", float("inf")), ("payload", "@"), ("payload", "A" * 400), ("crc_ok", 1), ("snr_db", "loud"),
    ],
)  # fmt: skip
def test_packet_from_json_refuses_damaged_packets(name: str, value: object) -> None:
    with pytest.raises(ContentError):
        GatewayPacket.from_json({**PACKET.as_json(), name: value})
