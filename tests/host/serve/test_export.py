"""Exports through the API."""

import csv
import io
import json

from starlette.testclient import TestClient

from host.serve.stored import ReadingQuery
from host.store.csv_lines import COLUMNS, csv_line, reading_line
from tests.host.serve.api_client import DESCRIPTION
from tests.host.serve.garden import GENERAL, SITE, Garden
from tests.host.serve.schema import faults


def test_export_as_csv_has_all_readings(client: TestClient, garden: Garden) -> None:
    response = client.get("/api/export/readings.csv?device=3")
    assert response.headers["content-disposition"] == 'attachment; filename="readings.csv"'
    rows = list(csv.DictReader(io.StringIO(response.text)))
    assert len(rows) == 72
    assert rows[0]["id"] == f"{SITE}-3-1"
    assert rows[0]["time"].endswith("Z")
    assert float(rows[0]["ber"]) > 0
    lines = [reading_line(reading, label) for reading, label in garden.store.stream(ReadingQuery(device=3))]
    assert response.text == csv_line(COLUMNS) + "".join(lines)


def test_export_as_json_lines_has_symbols_and_labels(client: TestClient) -> None:
    response = client.get("/api/export/readings.jsonl?labelled=true")
    schema = {"$ref": "#/components/schemas/LabelledReading"}
    readings = [json.loads(line) for line in response.text.splitlines()]
    assert [fault for reading in readings for fault in faults(reading, schema, DESCRIPTION)] == []
    assert {reading["device"] for reading in readings} <= set(GENERAL)
    labels = list(csv.reader(io.StringIO(client.get("/api/export/labels.csv").text)))
    assert labels[0] == ["image_id", "class"]
    assert dict(labels[1:]) == {reading["id"]: reading["human_label"] for reading in readings}


def test_export_disarms_formulas(client: TestClient, garden: Garden) -> None:
    garden.store.set_label(f"{SITE}-2-7", '=HYPERLINK("http://x")')
    try:
        text = client.get("/api/export/labels.csv").text
        assert dict(csv.reader(io.StringIO(text)))[f"{SITE}-2-7"] == '\'=HYPERLINK("http://x")'
    finally:
        garden.store.set_label(f"{SITE}-2-7", None)
