"""Metrics, and that dashboard and alert rules name only metrics that exist."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from host.server.inputs import InputState
from host.server.metrics import Metrics
from host.server.sink import Sink
from host.site.records import Reception
from host.store.store import Store
from tests.host.site.test_records import EVENT, READING, STATUS


@pytest.fixture
def metrics(tmp_path: Path) -> Metrics:
    state = InputState("/dev/ttyUSB0", connected=True)
    metrics = Metrics(Sink(Store(tmp_path / "s.sqlite3")), [state])
    for record in (READING, STATUS, EVENT):
        metrics.take(record)
    return metrics


def test_take_counts_an_image_once_and_each_of_its_copies(metrics: Metrics) -> None:
    more = replace(READING, receptions=(*READING.receptions, Reception("south", READING.time + 9, 0.1)))
    metrics.take(more)
    text = metrics.text().decode()
    assert 'inkling_readings_total{answered_by="host",device="3",site="home"} 1.0' in text
    assert 'inkling_receptions_total{gateway="south",site="home"} 2.0' in text
    assert 'inkling_lost_images{device="3",site="home"} 4.0' in text
    assert 'inkling_battery_volts{device="3",site="home"} 3.31' in text
    assert 'inkling_events_total{event="silent",site="home"} 1.0' in text
    assert 'inkling_input_up{input="/dev/ttyUSB0"} 1.0' in text


def test_forget_removes_the_figures_of_one_device(metrics: Metrics) -> None:
    metrics.take(replace(READING, id="other", device=4))
    metrics.forget("home", 3)
    metrics.forget("home", 3)
    gauges = re.findall(r'^(inkling_\w+){device="(\d)"', metrics.text().decode(), flags=re.MULTILINE)
    assert {device for _, device in gauges} == {"4"}
    metrics.take(STATUS)
    assert 'inkling_battery_volts{device="3",site="home"} 3.31' in metrics.text().decode()


@pytest.mark.parametrize("file", ["prometheus/alerts.yml", "grafana/dashboard.json"])
def test_deployment_files_name_metrics_that_exist(metrics: Metrics, file: str) -> None:
    named = set(re.findall(r"\binkling_\w+", (Path("deploy") / file).read_text()))
    known = set(re.findall(r"^(inkling_\w+)", metrics.text().decode(), flags=re.MULTILINE))
    assert len(named) >= 5 and named <= known
