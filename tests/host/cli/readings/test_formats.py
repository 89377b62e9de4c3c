"""Formats of readings: InfluxDB's line protocol, read by a parser of its own."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host.cli.readings.formats import influx_line
from host.site.records import ReadingRecord, TaskAnswer
from tests.host.store.records import TIME, reading, readings
from wire.text import printable

_PART = r"(?:\\.|[^\\,= ])+"  # a key or tag value: a backslash protects the next character
_STRING = r'"(?:\\.|[^\\"])*"'
_FIELD = rf"({_PART})=({_STRING}|[^,\" ]+)"
_LINE = re.compile(rf"inkling_reading((?:,{_PART}={_PART})*) ({_FIELD}(?:,{_FIELD})*) (\d+)")


def parse(line: str) -> tuple[dict[str, str], dict[str, object], int]:
    """Return tags, fields and the time of a line."""
    found = _LINE.fullmatch(line)
    assert found, line
    tags = {name: _plain(value) for name, value in re.findall(rf",({_PART})=({_PART})", found[1])}
    fields = {_plain(name): _value(value) for name, value in re.findall(_FIELD, found[2])}
    return tags, fields, int(found[found.re.groups])


def _plain(text: str) -> str:
    return re.sub(r"\\([,= ])", r"\1", text)


def _value(text: str) -> object:
    if text.startswith('"'):
        return re.sub(r"\\(.)", r"\1", text[1:-1])
    if text in ("true", "false"):
        return text == "true"
    return int(text[:-1]) if text.endswith("i") else float(text)


def test_influx_line_has_tags_fields_and_nanoseconds() -> None:
    record = reading(time=TIME + 0.123456, tasks={"my animals": TaskAnswer("fox", 1, 0.25)}, lost=2)
    tags, fields, time = parse(influx_line(record, 'a "red" fox'))
    assert tags == {"site": "home", "device": "3", "bundle": "general"} and time == 1_790_000_000_123_456_000
    assert fields == {
        "id": "home-3-0", "class": "cat", "confidence": 0.75, "answered_by": "host", "unsure": False, "auth": "none",
        "ber": 0.01, "snr_db": -7.5, "rssi_dbm": -110.0, "gateways": 1, "lost": 2, "lost_total": 0, "duplicate": False,
        "label": 'a "red" fox', "task_my animals": "fox", "task_my animals_confidence": 0.25,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("site", "escaped"),
    [
        ("a,b=c d", r"a\,b\=c\ d"), (r"a\b", r"a\b"), ("a\\", "a\\\\"), (r"a\,b", r"a\\\,b"), ("a\nb", r"a\nb"),
        ("Füchse", "Füchse"),
    ],
)  # fmt: skip
def test_influx_line_escapes_tags(site: str, escaped: str) -> None:
    assert influx_line(reading(site=site), None).startswith(f"inkling_reading,site={escaped},device=3,bundle=general ")


@given(readings, st.none() | st.text(max_size=5))
def test_influx_line_can_be_parsed(record: ReadingRecord, label: str | None) -> None:
    tags, fields, time = parse(influx_line(record, label))
    assert time == round(record.time * 1e6) * 1000
    assert set(tags) == {"site", "device", "bundle"} and tags["device"] == str(record.device)
    if "\\" not in record.site:
        assert tags["site"] == record.site
    assert fields.get("class") == record.label and fields["ber"] == record.ber
    assert fields.get("label") == (None if label is None else printable(label))
    assert len(fields) <= 15 + 2 * len(record.tasks)
