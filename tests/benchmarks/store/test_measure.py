"""The benchmark of the store: a small store holds what a full one does, and every figure gets to the page."""

from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.store import page
from benchmarks.store.contents import BEGIN, COPIES, HOUR_S
from benchmarks.store.measure import FOREVER, measure, queries
from host.store.query import ReadingQuery
from host.store.store import Store

READINGS, PERIOD_H = 30_000, 4


@pytest.mark.slow
def test_measure_fills_a_store_and_asks_every_query(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("contents", "measure"):
        monkeypatch.setattr(f"benchmarks.store.{module}.PERIOD_H", PERIOD_H)
    monkeypatch.setattr("benchmarks.store.measure.WRITTEN", 500)
    monkeypatch.setattr("benchmarks.store.measure.DELETED", 500)
    figures = measure(tmp_path, READINGS, 1, 0, False, Console(quiet=True))
    assert 0.9 * READINGS < figures["readings"] <= READINGS
    assert list(figures["queries_ms"]) == [query.name for query in queries()]
    assert figures["writing"]["records"] == 500 and 300 <= figures["deleting"]["readings"] <= 500
    assert 400 < figures["bytes_per_reading"] < 3000
    text = page.section(figures)
    assert text.startswith("## The store\n") and text.count(" ms |") == 4 * len(queries())
    (file,) = tmp_path.glob("*.sqlite3")
    with Store(file, FOREVER) as store:
        newest = [one.time for one in store.readings(ReadingQuery(until=BEGIN + COPIES * PERIOD_H * HOUR_S, limit=500))]
        assert newest == sorted(newest, reverse=True) and len(set(newest)) == 500
        (bucket,) = store.history("site0", 0, BEGIN + 60 * PERIOD_H * HOUR_S, BEGIN + 61 * PERIOD_H * HOUR_S, 1)
        assert bucket.readings == 0.3 * READINGS / COPIES  # a copied period is as the written one
